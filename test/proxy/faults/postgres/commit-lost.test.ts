// pg_commit_lost: a connection that dies around a commit. What the client can't know, the database says: never a race.
import { beforeEach, describe, expect, test } from 'vitest'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { bind, describe as ask, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import {
  brokenOff,
  codeOf,
  createNotes,
  noteIds,
  startPostgresProxied,
  untilClientsAre,
  ways,
} from '../../../support/postgres-faults.ts'
import type { PostgresProxied } from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()

beforeEach(() => createNotes(server()))

function commitLost(when: 'before' | 'after') {
  return { type: 'pg_commit_lost', attributes: { when } }
}

const RESET = 'pg_commit_lost_downstream reset'
const LOST = 'pg_commit_lost_downstream commit_lost'

/** Nobody is left in a transaction: what is not stored by now never will be. */
async function untilServerIsAlone(): Promise<void> {
  await untilClientsAre(server(), 0)
}

/** How real programs store a row in a transaction of its own; each opens a connection, as the one before was lost. */
const stores: Readonly<Record<string, (proxied: PostgresProxied, id: number) => Promise<unknown>>> = {
  async 'pg, simple'(proxied, id) {
    const client = await proxied.pg()
    await client.query('BEGIN')
    await client.query('INSERT INTO notes VALUES ($1)', [id])
    await client.query('COMMIT')
  },
  async 'pg, extended'(proxied, id) {
    const client = await proxied.pg()
    await client.query('BEGIN')
    await client.query({ name: 'insert', text: 'INSERT INTO notes VALUES ($1)', values: [id] })
    await client.query({ name: 'commit', text: 'COMMIT' })
  },
  async 'pg, one query'(proxied, id) {
    const client = await proxied.pg()
    await client.query(`BEGIN; INSERT INTO notes VALUES (${id}); COMMIT; SELECT 1`)
  },
  async 'postgres.js'(proxied, id) {
    await proxied.postgresJs().begin((sql) => sql`INSERT INTO notes VALUES (${id})`)
  },
}

/** As many as are in flight at once: enough for answers to cross, few enough for a small machine. */
const AT_ONCE = 8
/** Of each kind of program a quarter. */
const RUNS = process.env['FAULTLINE_LONG'] ? 200 : 48

describe.each([
  ['before', RESET],
  ['after', LOST],
] as const)(`%s: ${RUNS} times`, (when, injected) => {
  test('the client gets an error, and the row is where it has to be, every time', async () => {
    await using proxied = await startPostgresProxied(server(), [commitLost(when)])
    const names = Object.keys(stores)
    const ids = Array.from({ length: RUNS }, (_, index) => index)
    for (let from = 0; from < RUNS; from += AT_ONCE) {
      const some = ids.slice(from, from + AT_ONCE)
      const codes = await Promise.all(some.map((id) => codeOf(stores[names[id % names.length]!]!(proxied, id))))
      for (const code of codes) expect(brokenOff).toContain(code)
      // At once: `after` has been committed before the client hears of anything.
      if (when === 'after') expect(await noteIds(server())).toEqual(ids.slice(0, from + some.length))
    }
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual(when === 'after' ? ids : [])
    expect(proxied.injected()).toEqual(ids.map(() => injected))
  })
})

describe.each(Object.entries(ways))('%s, on a connection that was open before', (_way, connect) => {
  test.each(['before', 'after'] as const)('%s', async (when) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    await client.run('BEGIN')
    await client.run('INSERT INTO notes VALUES (1)')
    proxied.proxy.addFault(commitLost(when))
    // It commits by itself, but the fault is for COMMIT.
    await server().query('INSERT INTO notes VALUES (2)')
    expect(brokenOff).toContain(await codeOf(client.run('COMMIT')))
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual(when === 'after' ? [1, 2] : [2])
    expect(proxied.injected()).toEqual([when === 'after' ? LOST : RESET])
  })

  test.each(['before', 'after'] as const)('%s: of a statement that commits by itself, if it matches', async (when) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...commitLost(when), match: { statement: ['insert', 'commit'] } })
    await client.run('SELECT 1')
    expect(brokenOff).toContain(await codeOf(client.run('INSERT INTO notes VALUES (1) RETURNING id')))
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual(when === 'after' ? [1] : [])
    expect(proxied.injected()).toEqual([when === 'after' ? LOST : RESET])
  })

  test('without the fault, a transaction is what it was', async () => {
    await using proxied = await startPostgresProxied(server(), [commitLost('before')])
    const client = await connect(proxied)
    await client.run('BEGIN')
    await client.run('INSERT INTO notes VALUES (1)')
    proxied.proxy.removeAllFaults()
    await client.run('COMMIT')
    expect(await noteIds(server())).toEqual([1])
    expect(proxied.injected()).toEqual([])
  })
})

describe('what the client sees before the RST', () => {
  const EXTENDED = [parse('COMMIT'), bind(), ask(), execute(), sync()]
  test.each([
    ['before, simple', 'before', [query('COMMIT')], ''],
    ['before, extended', 'before', EXTENDED, '1 2 n'],
    ['after, simple', 'after', [query('COMMIT')], ''],
    ['after, extended', 'after', EXTENDED, '1 2 n'],
    ['after, of several', 'after', [query('SELECT 1; COMMIT; SELECT 2')], 'T D C'],
    ['after, behind it an error', 'after', [query('COMMIT; SELECT 1 / 0')], ''],
  ] as const)('%s', async (_name, when, messages, seen) => {
    await using proxied = await startPostgresProxied(server(), [commitLost(when)])
    await using client = await proxied.raw()
    await client.query('BEGIN')
    await client.query('INSERT INTO notes VALUES (1)')
    client.forget()
    client.send(...messages)
    expect(await client.untilEnded()).toBe('ECONNRESET')
    // Nothing of the COMMIT itself, ever; what came before it may be lost with the RST.
    expect(seen.startsWith(shape(client.messages))).toBe(true)
    expect(client.unfinished).toHaveLength(0)
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual(when === 'after' ? [1] : [])
    expect(proxied.injected()).toHaveLength(1)
  })
})

describe('a COMMIT that commits nothing is none of its business', () => {
  const both = ['before', 'after'] as const

  test.each(both)('%s: in a failed transaction it is answered ROLLBACK', async (when) => {
    await using proxied = await startPostgresProxied(server(), [{ ...commitLost(when), times: 1 }])
    await using client = await proxied.raw()
    await client.query('BEGIN')
    await client.query('SELECT 1 / 0')
    expect(transcript(await client.query('COMMIT'))).toEqual(['C ROLLBACK', 'Z I'])
    expect(shape(await client.query('COMMIT'))).toBe('N(25P01) C Z(I)')
    expect(proxied.injected()).toEqual([])
    await client.query('BEGIN')
    client.send(query('COMMIT'))
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })

  test('after: an error of its own passes, and does not count', async () => {
    await server().query('ALTER TABLE notes ADD UNIQUE (note) DEFERRABLE INITIALLY DEFERRED')
    await using proxied = await startPostgresProxied(server())
    await using client = await proxied.raw()
    const insert = `INSERT INTO notes VALUES (1, 'same'), (2, 'same')`
    proxied.proxy.addFault({ ...commitLost('after'), match: { statement: ['insert', 'commit'] }, times: 1 })
    await client.query('BEGIN')
    await client.query(insert)
    expect(shape(await client.query('COMMIT'))).toBe('E(23505) Z(I)')
    await client.query('BEGIN')
    await client.query(insert)
    expect(shape(await client.ask([parse('COMMIT'), bind(), execute(), sync()]))).toBe('1 2 E(23505) Z(I)')
    expect(shape(await client.query(insert))).toBe('E(23505) Z(I)')
    // The end of the result had to be kept back; then comes what has become of it.
    expect(shape(await client.ask([parse(insert), bind(), execute(), sync()]))).toBe('1 2 E(23505) Z(I)')
    expect(proxied.injected()).toEqual([])
    client.send(query(`INSERT INTO notes VALUES (3)`))
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(await noteIds(server())).toEqual([3])
  })
})
