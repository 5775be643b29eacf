// docs/http.md: every command in it does what it shows, and its tables are complete.
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { faults } from '../../proxy/faults/registry.ts'
import { compilePattern, type Pattern } from '../../proxy/pattern.ts'
import { httpMatchSchema } from '../../proxy/protocols/http/match.ts'
import { webSocketMatchSchema } from '../../proxy/protocols/websocket/match.ts'
import { ROOT } from '../cli/support.ts'
import { attributesCell } from '../support/docs-fault-table.ts'
import { readSections, stepsOf, tableRows, type Section } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted, type Outcome } from '../support/docs-run.ts'

const API = 8474
const SHOP = 18080
const PROXY = 18081
const SECOND_PROXY = 18082
/** The proxy of README.md. */
const README_PROXY = 26380

const guide = join(ROOT, 'docs', 'http.md')
const sections = readSections(guide)
const start = section('Start')

function section(title: string, all = sections): Section {
  const found = all.find((other) => other.title === title)
  if (!found) throw new Error(`there is no section "${title}"`)
  return found
}

describe.skipIf(!hasCurl())('the commands of the guide', () => {
  let run: GuideRun
  let started: Outcome[]

  beforeAll(async () => {
    run = await GuideRun.start(sections, [API, SHOP, PROXY, SECOND_PROXY, README_PROXY], [API, SHOP])
    started = await run.steps(start)
  })

  afterAll(() => run[Symbol.asyncDispose]())

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

  test('are right in README.md, too', async () => {
    const example = section('HTTP and WebSocket', readSections(join(ROOT, 'README.md')))
    expect(await run.steps(example)).toEqual(stepsOf(example).map(wanted))
  })
})

test('the guide has ten situations, and each shows what a client sees', () => {
  const situations = sections.filter(({ title }) => /^\d+\. /.test(title))
  expect(situations.map(({ title }) => parseInt(title))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(situations.filter((situation) => stepsOf(situation).every(({ output }) => output === undefined))).toEqual([])
})

test('the tables have each fault of messages, with all attributes and their defaults', () => {
  const rows = tableRows(section('All faults')).map(([type, , attributes]) => [type, attributes])
  const messageFaults = Object.values(faults).filter((fault) => fault.layer === 'message' && fault.protocol === 'http')
  expect(rows).toEqual(messageFaults.map((fault) => [`\`${fault.type}\``, attributesCell(fault)]))
})

test('the table of match has each part that there is', () => {
  const named = tableRows(section('Which messages: match')).flatMap(
    ([part = '']) => part.match(/(?<=`)\w+(?=`)/g) ?? [],
  )
  const parts = new Set([httpMatchSchema, webSocketMatchSchema].flatMap(({ properties }) => Object.keys(properties)))
  expect(new Set(named)).toEqual(parts)
})

test('the table of patterns says what holds', () => {
  const paths = ['/orders', '/orders/7', '/orders/7/lines', '/a*b', '/a-b', '/ORDERS']
  const patterns = tableRows(section('Which messages: match')).flatMap(([cell = '']) => patternOf(cell) ?? [])
  const held = patterns.map((pattern) => paths.filter(compilePattern(pattern, 'path', 'path')))
  expect(held).toEqual([
    ['/orders'],
    ['/orders/7'],
    ['/orders/7'],
    ['/a*b'],
    ['/orders/7', '/orders/7/lines'],
    ['/orders', '/orders/7', '/orders/7/lines', '/ORDERS'],
  ])
})

test('the table of counting has each field, with its default', () => {
  const rows = tableRows(section('Which of them: counting')).map(([field]) => field)
  expect(rows).toEqual(['`skip`', '`every`', '`times`', '`probability`', '`key`'])
})

/** Of a cell with a single pattern in JSON. */
function patternOf(cell: string): Pattern | undefined {
  const json = /^`(["{].*)`$/.exec(cell)?.[1]
  return json === undefined ? undefined : (JSON.parse(json) as Pattern)
}
