// docs/postgres.md: every command in it does what it shows, and its tables are complete.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { postgresKeys } from '../../proxy/faults/postgres/postgres-fault.ts'
import { faults } from '../../proxy/faults/registry.ts'
import { postgresMatchSchema } from '../../proxy/protocols/postgres/match.ts'
import { postgresOptions } from '../../proxy/protocols/postgres/options.ts'
import { statementKinds } from '../../proxy/protocols/postgres/sql.ts'
import { ROOT } from '../cli/support.ts'
import { attributesCell } from '../support/docs-fault-table.ts'
import { readSections, sectionOf, stepsOf, tableRows } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted, type Outcome } from '../support/docs-run.ts'
import { postgresCertificate, startPostgres, type PostgresServer } from '../support/postgres.ts'

const API = 8474
const DATABASE = 5432
const PROXY = 15432
const SECOND_PROXY = 15433
/** The proxy of README.md. */
const README_PROXY = 25432

const guide = join(ROOT, 'docs', 'postgres.md')
const sections = readSections(guide)
const section = (title: string) => sectionOf(title, sections)
const start = section('Start')

describe.skipIf(!hasCurl())('the commands of the guide', () => {
  let server: PostgresServer
  let run: GuideRun
  let started: Outcome[]

  beforeAll(async () => {
    server = await startPostgres({
      ssl: true,
      hba: ['host all shop all scram-sha-256'],
      users: [{ name: 'shop', password: 'secret' }],
    })
    await server.query('CREATE DATABASE shop OWNER shop')
    run = await GuideRun.start(sections, [API, PROXY, SECOND_PROXY, README_PROXY], [API], {
      packages: ['faultline', 'pg', 'postgres'],
      files: { 'server.crt': postgresCertificate.cert, 'server.key': postgresCertificate.key },
      running: { [DATABASE]: server.port },
    })
    started = await run.steps(start)
  })

  afterAll(async () => {
    await run?.[Symbol.asyncDispose]()
    await server?.stop()
  })

  // What one situation forgets to take back is its own failure, not that of the next.
  beforeEach(() => fetch(`http://127.0.0.1:${run.port(API)}/reset`, { method: 'POST' }))

  test('start a server and a proxy, and make tables', () => {
    expect(started).toEqual(stepsOf(start).map(wanted))
  })

  for (const situation of sections.filter((other) => other !== start && stepsOf(other).length > 0)) {
    test(`do what they show, and take it back: ${situation.title}`, { timeout: 60_000 }, async () => {
      expect(await run.steps(situation)).toEqual(stepsOf(situation).map(wanted))

      const answer = await fetch(`http://127.0.0.1:${run.port(API)}/v1/proxies`)
      expect(await answer.json()).toMatchObject({ proxies: [{ name: 'db', faults: [] }] })
    })
  }

  test("leave in the server's log what the guide shows of it", async () => {
    const shown = sections.flatMap(({ blocks }) => blocks).filter(({ language }) => language === 'log')
    const lines = shown.flatMap(({ text }) => text.trimEnd().split('\n')).map(withoutNonce)
    expect(lines.length).toBeGreaterThan(0)
    // The log comes through a pipe of its own, maybe later than the answers.
    await vi.waitFor(() => {
      const logged = server.log.map((line) => withoutNonce(line.replace(/^.* \[\d+\] /, '')))
      expect(logged).toEqual(expect.arrayContaining(lines))
    }, LOG_PATIENCE)
  })

  test('are right in README.md, too', async () => {
    const example = sectionOf('Postgres', readSections(join(ROOT, 'README.md')))
    expect(await run.steps(example)).toEqual(stepsOf(example).map(wanted))
  })
})

test('the guide has eight situations, and each shows what an app sees', () => {
  const situations = sections.filter(({ title }) => /^\d+\. /.test(title))
  expect(situations.map(({ title }) => parseInt(title))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(situations.filter((situation) => stepsOf(situation).every(({ output }) => output === undefined))).toEqual([])
})

test('the table has each fault of Postgres, with all attributes and their defaults', () => {
  const rows = tableRows(section('All faults')).map(([type, , attributes]) => [type, attributes])
  const ours = Object.values(faults).filter((fault) => fault.layer === 'message' && fault.protocol === 'postgres')
  expect(rows).toEqual(ours.map((fault) => [`\`${fault.type}\``, attributesCell(fault)]))
})

test('the guide has each part of match, and each kind of statement', () => {
  const match = section('Which statements: match')
  const parts = tableRows(match).flatMap(([part = '']) => codes(part))
  expect(parts).toEqual(Object.keys(postgresMatchSchema.properties))

  const [, kinds = ''] = /^Kinds: ([^.]+)\./m.exec(match.prose) ?? []
  expect(codes(kinds)).toEqual([...statementKinds])
})

test('the table of counting has each field, and each key', () => {
  const rows = tableRows(section('Which of them: counting'))
  expect(rows.map(([field]) => field)).toEqual(['`skip`', '`every`', '`times`', '`probability`', '`key`'])
  const keys = codes(rows.at(-1)?.at(-1) ?? '')
  expect(new Set(keys)).toEqual(new Set(postgresKeys))
})

test('the table of `at` has each point at which a statement can fail', () => {
  const points = tableRows(section('Where an error happens: at')).flatMap(([at = '']) => codes(at))
  const { at } = faults.pgError.schema.properties as { at: { anyOf: { const: string }[] } }
  expect(points).toEqual(at.anyOf.map((point) => point.const))
})

test('the tables of TLS have each mode, and each option with its default', () => {
  const rows = tableRows(section('TLS'))
  const modes = postgresOptions.tls.anyOf.map((mode) => mode.const)
  expect(rows.slice(0, modes.length).flatMap(([mode = '']) => codes(mode))).toEqual(modes)
  const ofTls = Object.entries(postgresOptions).filter(([name]) => name.startsWith('tls'))
  const defaults = ofTls.map(([name, option]) => [`\`${name}\``, option.default ?? ''])
  expect(rows.slice(modes.length).map(([field, byDefault]) => [field, byDefault])).toEqual(defaults)
})

test('the guide has each of its other options', () => {
  const others = Object.keys(postgresOptions).filter((name) => !name.startsWith('tls'))
  for (const name of others) expect(readFileSync(guide, 'utf8')).toContain(`\`${name}: `)
})

/** A pipe of the same machine; seconds only if that has no time for its processes. */
const LOG_PATIENCE = { timeout: 5000, interval: 20 }

/** What is between backquotes in a cell. */
function codes(cell: string): string[] {
  return [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code)
}

/** Each is another. */
function withoutNonce(line: string): string {
  return line.replaceAll(/faultline_[0-9a-f]{16}/g, 'faultline_…')
}
