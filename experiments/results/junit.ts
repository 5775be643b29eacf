// junit.xml: each SLO is a test, and so is the run itself. CI servers show it as they show tests.
import builderOfOne from 'junit-report-builder'
import type { JUnitReportBuilder } from 'junit-report-builder/dist/builder.js'
import type { TestSuite } from 'junit-report-builder/dist/test_suite.js'
import type { Journal, Outcome, Verdict } from '../model.ts'
import type { Hint } from './hints/hint.ts'
import { hintsOf } from './hints/registry.ts'
import { formatInterval, formatLimit, formatSlo, sloKind } from './slo.ts'
import { summarize } from './summary.ts'

/** The package's types say that it has a `default`; what it exports is that. */
const junit = builderOfOne as unknown as JUnitReportBuilder

/** The others are about the run: SLOs have tests of their own. */
const TROUBLE: ReadonlySet<Outcome> = new Set(['aborted', 'error', 'cleanup-incomplete'])

/**
 * One `testsuite`, which is valid by the strictest schema in use, that of Jenkins' xUnit plugin (junit-10.xsd); the
 * element `testsuites` as the library writes it is not. An inconclusive SLO is a skipped test.
 */
export function renderJunit(journal: Journal): string {
  const { title, startedAt, durationMs, environment, id, seed, outcome, verdicts } = journal
  const suite = junit.newBuilder().testSuite()
  suite.name(xmlText(title)).time(seconds(durationMs)).timestamp(timestampOf(startedAt))
  suite.property('id', xmlText(id)).property('environment', xmlText(environment))
  suite.property('seed', String(seed)).property('outcome', outcome)
  addRun(suite, journal)
  const hints = hintsOf(journal)
  for (const verdict of verdicts) addVerdict(suite, title, verdict, hints)
  return `${suite.build().end({ pretty: true })}\n`
}

function addRun(suite: TestSuite, journal: Journal): void {
  const run = suite.testCase().className(xmlText(journal.title)).name('the run').time(seconds(journal.durationMs))
  const { sentence } = summarize(journal)
  if (TROUBLE.has(journal.outcome)) run.error(xmlText(sentence), journal.outcome)
}

function addVerdict(suite: TestSuite, title: string, verdict: Verdict, hints: readonly Hint[]): void {
  const { slo, result, why, n } = verdict
  const test = suite
    .testCase()
    .className(xmlText(title))
    .name(xmlText(sloKind(slo).label))
    .time(0)
  const figures = `measured ${formatSlo(slo, verdict.measured)}, limit ${formatLimit(verdict)}`
  if (result === 'fail') test.failure(xmlText(why), 'slo_violated')
  if (result === 'inconclusive') test.skipped()
  const lines = [why, `${figures}, 95 % interval ${formatInterval(verdict)}, ${n} samples`]
  for (const { cause, evidence } of hints.filter(({ slos }) => slos.includes(slo))) lines.push(cause, ...evidence)
  test.standardOutput(xmlText(lines.join('\n')))
}

/** Decimals: the schema knows no exponents. */
function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(3))
}

/** As Ant writes it, in UTC and without a zone, of which its schema allows none. */
function timestampOf(iso: string): string {
  const time = Date.parse(iso)
  return Number.isNaN(time) ? xmlText(iso) : new Date(time).toISOString().slice(0, 19)
}

/** What can't be in a document at all (XML 1.0, section 2.2), not even escaped, becomes U+FFFD. */
function xmlText(text: string): string {
  return text.toWellFormed().replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
}
