// docs/network.md: every command in it does what it shows, and its tables are complete.
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import { datagramFaults, faults } from '../../proxy/faults/registry.ts'
import { ROOT } from '../cli/support.ts'
import { attributesCell } from '../support/docs-fault-table.ts'
import { readSections, sectionOf, stepsOf, tableRows } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted, type Outcome } from '../support/docs-run.ts'

const API = 8474
const SHOP = 18080
const PROXY = 18081
/** Of datagrams. */
const ECHO_PROXY = 18053
const ECHO = 18054

const guide = join(ROOT, 'docs', 'network.md')
const sections = readSections(guide)
const section = (title: string) => sectionOf(title, sections)
const start = section('Start')
const situations = sections.filter(({ title }) => /^\d+\. /.test(title))

describe.skipIf(!hasCurl())('the commands of the guide', () => {
  let run: GuideRun
  let started: Outcome[]

  beforeAll(async () => {
    run = await GuideRun.start(sections, [API, SHOP, PROXY, ECHO_PROXY, ECHO], [API, SHOP], { packages: ['faultline'] })
    started = await run.steps(start)
  })

  afterAll(() => run?.[Symbol.asyncDispose]())

  // What one situation forgets to take back is its own failure, not that of the next.
  beforeEach(() => fetch(`http://127.0.0.1:${run.port(API)}/reset`, { method: 'POST' }))

  test('start a server, a proxy and a service', () => {
    expect(started).toEqual(stepsOf(start).map(wanted))
  })

  for (const situation of sections.filter((other) => other !== start && stepsOf(other).length > 0)) {
    test(`do what they show, and take it back: ${situation.title}`, { timeout: 60_000 }, async () => {
      expect(await run.steps(situation)).toEqual(stepsOf(situation).map(wanted))

      const answer = await fetch(`http://127.0.0.1:${run.port(API)}/v1/proxies`)
      expect(await answer.json()).toMatchObject({ proxies: [{ name: 'shop', faults: [] }] })
    })
  }
})

test('each situation says what happens in life, and has its fault by curl and in a test', () => {
  expect(situations.map(({ title }) => parseInt(title))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
  for (const { title, prose, blocks } of situations) {
    expect(prose, title).toContain('**In life:**')
    const code = blocks.map(({ language, text }) => ({ language, text }))
    expect(code, title).toContainEqual({ language: 'sh', text: expect.stringContaining('/faults --json') })
    expect(code, title).toContainEqual({ language: 'js', text: expect.stringMatching(/addFault|partition/) })
  }
})

test('the tables have each fault of bytes, connections and datagrams, with all attributes and their defaults', () => {
  const rows = tableRows(section('All faults')).map(([type, , attributes]) => [type, attributes])
  const ours = Object.values(faults).filter(({ layer }) => layer === 'stream' || layer === 'connection')
  const all = [...ours, ...Object.values(datagramFaults)]
  expect(rows).toEqual(all.map((fault) => [`\`${fault.type}\``, attributesCell(fault)]))
})

test('the tables of what chooses connections have each field, and each part of match', () => {
  const rows = tableRows(section('Which connections')).map(([field = '']) => field.replaceAll('`', ''))
  const parts = Object.keys(connectionMatchSchema.properties)
  expect(rows).toEqual(['match', 'skip', 'every', 'times', 'probability', ...parts])
})
