// docs/stressors.md: every command in it does what it shows and leaves no stressor; its table is complete.
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { allowedInWords } from '../../resource-stressors/kinds/stress-ng/allowed.ts'
import { stressors } from '../../resource-stressors/registry.ts'
import { ROOT } from '../cli/support.ts'
import { attributesCell } from '../support/docs-fault-table.ts'
import { readSections, sectionOf, stepsOf, tableRows } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted } from '../support/docs-run.ts'

const API = 8474

const guide = join(ROOT, 'docs', 'stressors.md')
const sections = readSections(guide)
const situations = sections.filter(({ title }) => /^\d+\. /.test(title))

/** Stopping a process, and memory, are Linux's affairs here. */
describe.skipIf(!hasCurl() || process.platform !== 'linux')('the commands of the guide', () => {
  let run: GuideRun
  beforeAll(async () => {
    run = await GuideRun.start(sections, [API], [API], { packages: ['faultline'] })
  })
  afterAll(() => run?.[Symbol.asyncDispose]())

  // What one situation forgets to take back is its own failure, not that of the next.
  afterEach(() => fetch(`http://127.0.0.1:${run.port(API)}/v1/stressors`, { method: 'DELETE' }))

  for (const section of sections.filter((other) => stepsOf(other).length > 0)) {
    test(`do what they show, and take it back: ${section.title}`, { timeout: 60_000 }, async () => {
      expect(await run.steps(section)).toEqual(stepsOf(section).map(wanted))

      const answer = await fetch(`http://127.0.0.1:${run.port(API)}/v1/stressors`)
      expect(await answer.json()).toEqual({ stressors: [] })
    })
  }
})

test('each situation says what happens in life', () => {
  expect(situations.map(({ title }) => parseInt(title))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  for (const { title, prose } of situations) expect(prose, title).toContain('**In life:**')
})

test('its table has each type, with all attributes and their defaults', () => {
  const rows = tableRows(sectionOf('All stressors', sections)).map(([type, , attributes]) => [type, attributes])
  const all = Object.values(stressors).map((definition) => [`\`${definition.type}\``, attributesCell(definition)])
  expect(rows).toEqual(all)
})

test('it names all stressors of stress-ng that may be started', () => {
  const rows = tableRows(sectionOf('More, by stress-ng', sections))
  const words = rows.map(([name, names]) => `${name}: ${names!.replaceAll('`', '')}`)
  expect(words.join('; ')).toBe(allowedInWords)
})
