// docs/experiments.md: every command in it does what it shows and takes back what it did; its tables are those of today.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../cli/experiments/ending.ts'
import { probeKinds } from '../../experiments/file/probe-schema.ts'
import { actionNames, groupNames } from '../../experiments/file/step-schema.ts'
import { usualSeverity, usualSlo } from '../../experiments/file/thresholds.ts'
import { formatDuration, formatShare } from '../../experiments/file/units.ts'
import { notificationEvents, phaseNames } from '../../experiments/model.ts'
import { ROOT } from '../cli/support.ts'
import { readSections, sectionOf, stepsOf, tableRows, type Section } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted } from '../support/docs-run.ts'

const API = 8474
const PAYMENTS = 18_090
const PROXY = 18_091
const SHOP = 18_092

const guide = join(ROOT, 'docs', 'experiments.md')
const sections = readSections(guide)

describe.skipIf(!hasCurl())('the commands of the guide', () => {
  let run: GuideRun
  beforeAll(async () => {
    const servers = [API, PAYMENTS, SHOP]
    run = await GuideRun.start(sections, [API, PAYMENTS, PROXY, SHOP], servers, { packages: [] })
  })
  afterAll(() => run?.[Symbol.asyncDispose]())

  /** Each command is a process that takes half a second of CPU: what other tests have, too, is left to long runs. */
  const inShortRuns = /^(?:Start|1)\b/
  const isWanted = ({ title }: Section): boolean => Boolean(process.env['FAULTLINE_LONG']) || inShortRuns.test(title)

  // In the order of the guide: each goes on where the one before left off.
  for (const section of sections.filter((other) => stepsOf(other).length > 0 && isWanted(other))) {
    // Experiments of some seconds each.
    test(`do what they show, and take it back: ${section.title}`, { timeout: 60_000 }, async () => {
      expect(await run.steps(section)).toEqual(stepsOf(section).map(wanted))

      const answer = await fetch(`http://127.0.0.1:${run.port(API)}/v1/status`)
      expect(await answer.json()).toMatchObject({ faults: 0, stressors: 0, leases: 0 })
    })
  }
})

/** The first column of a section's table, without the backticks. */
function names(title: string): string[] {
  return tableRows(sectionOf(title, sections)).map(([name = '']) => name.replaceAll('`', ''))
}

test('its tables have each phase, kind of probe, action and event of webhooks', () => {
  expect(names('Phases')).toEqual([...phaseNames])
  expect(names('Steady states')).toEqual([...probeKinds])
  expect(names('Steps')).toEqual([...actionNames, 'wait', ...groupNames])
  expect(names('Webhooks')).toEqual([...notificationEvents])
})

test('its tables have the exit codes, and the thresholds of each environment', () => {
  const codes = tableRows(sectionOf('2. Reading the verdict', sections)).map(([outcome = '', , code]) => [
    outcome.replaceAll('`', ''),
    Number(code),
  ])
  expect(Object.fromEntries(codes)).toEqual(exitCodes)

  const rows = Object.entries(usualSlo).map(([name, slo]) => [
    name === 'default' ? 'none' : `\`${name}\``,
    `${slo.mttrMs / 1000}s`,
    formatShare(slo.errorRate),
    formatShare(slo.availability),
    formatDuration(slo.latencyDegradationMs),
    formatDuration(slo.recoveryTimeMs),
    String(usualSeverity[name as keyof typeof usualSeverity]),
  ])
  expect(tableRows(sectionOf('Thresholds', sections))).toEqual(rows)
})
