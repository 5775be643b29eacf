// What a run of an experiment has left behind: its journal, and what its reports say of it to people and to CI.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Journal } from '../../../experiments/model.ts'
import type { Ended } from '../../cli/support.ts'
import { parseStrictJunit } from '../results/strict-junit.ts'

export interface Results {
  readonly journal: Journal
  /** The first line of report.md. */
  readonly headline: string
  /** In report.md, by the names of SLOs: `pass`, `fail` or `inconclusive`. */
  readonly marks: Readonly<Record<string, string>>
  /** In junit.xml, by the names of tests: `passed`, `failure`, `skipped` or `error`. */
  readonly tests: Readonly<Record<string, string>>
}

export async function readResults(folder: string): Promise<Results> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  const report = await read('report.md')
  const rows = [...report.matchAll(/^\| (.+?) \| (?:✅|❌|❔) (\w+) \|/gm)]
  const cases = parseStrictJunit(await read('junit.xml')).children.filter(({ name }) => name === 'testcase')
  return {
    journal: JSON.parse(await read('results.json')) as Journal,
    headline: report.slice(0, report.indexOf('\n')),
    marks: Object.fromEntries(rows.map(([, slo = '', mark = '']) => [slo, mark])),
    tests: Object.fromEntries(
      cases.map(({ attributes, children }) => {
        const outcome = children.find(({ name }) => ['failure', 'skipped', 'error'].includes(name))
        return [attributes['name'] ?? '', outcome?.name ?? 'passed']
      }),
    ),
  }
}

/** What all say of a hypothesis that has been confirmed, and of one that has been refuted. */
export const confirmed = { code: 0, outcome: 'passed', verdict: 'pass', mark: 'pass', test: 'passed' }
export const refuted = { code: 1, outcome: 'violated', verdict: 'fail', mark: 'fail', test: 'failure' }

/**
 * What the exit code, the journal, report.md and junit.xml say of an SLO.
 *
 * @throws if there are no results, with what the run has said instead
 */
export async function outcomeOn(slo: string, { code, stdout, stderr }: Ended, folder: string) {
  expect([0, 1, 5], stdout + stderr).toContain(code)
  const results = await readResults(folder)
  const { journal, marks, tests } = results
  const verdict = journal.verdicts.find((each) => each.slo === slo)?.result
  return { ...results, seen: { code, outcome: journal.outcome, verdict, mark: marks[slo], test: tests[slo] } }
}

/** What junit.xml has of a verdict. */
const inJunit = { pass: 'passed', fail: 'failure', inconclusive: 'skipped' } as const

/** What was printed, the reports and the journal agree: on the outcome, and on every SLO. */
export function expectAgreement({ journal, headline, marks, tests }: Results, stdout: string): void {
  const { title, outcome, verdicts } = journal
  expect(stdout).toContain(`${title}: ${outcome}\n`)
  expect(headline).toContain(`${title}: ${outcome}`)
  expect(Object.values(marks)).toEqual(verdicts.map(({ result }) => result))
  // The first is the run itself.
  expect(Object.values(tests)).toEqual(['passed', ...verdicts.map(({ result }) => inJunit[result])])
}
