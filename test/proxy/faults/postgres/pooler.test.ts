// pg_pooler: what lasts on a connection of one's own, and does not behind a transaction pooler.
import { beforeEach, describe, expect, test } from 'vitest'
import { shape, transcript, type BackendMessage } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, close, describe as ask, execute, flush, parse, query, sync } from '../../../support/postgres-frontend.ts'
import { codeOf, createNotes, noteIds, startPostgresProxied } from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()
const POOLER = { type: 'pg_pooler' }

beforeEach(() => createNotes(server()))

/** Types and contents, but for what comes by itself. */
function said(messages: readonly BackendMessage[]): string[] {
  return transcript(messages.filter(({ type }) => type !== 'S'))
}

describe('prepared statements', () => {
  test('pg: a named one is gone with the transaction, as the server itself says it', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await proxied.pg()
    const named = { name: 'double', text: 'SELECT $1::int * 2 AS double', values: [21] }
    expect((await client.query(named)).rows).toEqual([{ double: 42 }])

    // The connection was open and the statement prepared before: the next transaction is the last one it lives through.
    proxied.proxy.addFault(POOLER)
    expect((await client.query(named)).rows).toEqual([{ double: 42 }])
    await expect(client.query(named)).rejects.toMatchObject({
      code: '26000',
      message: 'prepared statement "double" does not exist',
      routine: 'FetchPreparedStatement',
    })

    proxied.proxy.removeAllFaults()
    const other = { ...named, name: 'again' }
    for (let run = 0; run < 3; run++) expect((await client.query(other)).rows).toEqual([{ double: 42 }])
    expect(proxied.injected()).toEqual(Array(2).fill('pg_pooler_downstream switch_connection'))
  })

  test('postgres.js: prepares again by itself, as the genuine routine tells it to', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    const sql = proxied.postgresJs()
    for (let run = 1; run <= 5; run++) expect([...(await sql`SELECT ${run}::int AS run`)]).toEqual([{ run }])
    // The first Sync prepares and asks for types, the second one runs; each run after the first fails once before.
    expect(proxied.injected().length).toBeGreaterThanOrEqual(5 + 4)

    const kept = proxied.postgresJs()
    proxied.proxy.removeAllFaults()
    const before = proxied.injected().length
    for (let run = 1; run <= 5; run++) expect([...(await kept`SELECT ${run}::int AS run`)]).toEqual([{ run }])
    expect(proxied.injected()).toHaveLength(before)
  })

  test('the error is the one of a server that never had the statement, byte for byte', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    await using through = await proxied.raw()
    await using direct = await PostgresConversation.connect(server().connectionOptions)
    await through.ask([parse('SELECT 1', 'one'), sync()])
    for (const messages of [
      [bind([], 'one'), execute(), sync()],
      [ask('S', 'one'), sync()],
      [query('EXECUTE one')],
      // No error: there is nothing to be closed.
      [close('S', 'one'), sync()],
      [bind(), execute(), sync()],
    ]) {
      const heard = await through.ask(messages)
      const expected = await direct.ask(messages)
      expect(heard.map(({ bytes }) => bytes)).toEqual(expected.map(({ bytes }) => bytes))
    }
  })
})

describe('a transaction', () => {
  test('keeps its connection: what is set, prepared, created and locked lasts to its end', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    const client = await proxied.pg()
    const named = { name: 'one', text: 'SELECT 1 AS one' }
    await client.query('BEGIN')
    await client.query('SET SESSION work_mem = 12345')
    await client.query('CREATE TEMPORARY TABLE here (id int)')
    await client.query('SELECT pg_advisory_lock(7)')
    for (let run = 0; run < 3; run++) expect((await client.query(named)).rows).toEqual([{ one: 1 }])
    await client.query('SAVEPOINT s')
    expect(await codeOf(client.query('SELECT 1 / 0'))).toBe('22012')
    await client.query('ROLLBACK TO s')
    await client.query('INSERT INTO here VALUES (1)')
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '12345kB' }])
    await client.query('INSERT INTO notes VALUES (1)')
    const before = proxied.injected().length
    await client.query('COMMIT')

    expect(proxied.injected()).toHaveLength(before + 1)
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '4MB' }])
    expect(await codeOf(client.query('SELECT FROM here'))).toBe('42P01')
    expect(await codeOf(client.query(named))).toBe('26000')
    expect(await server().query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).toEqual([])
    expect(await noteIds(server())).toEqual([1])
  })

  test('one that has failed keeps it, too, up to its ROLLBACK', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    await using client = await proxied.raw()
    const before = proxied.injected().length
    await client.query('BEGIN')
    expect(shape(await client.query('SELECT 1 / 0'))).toBe('E(22012) Z(E)')
    expect(shape(await client.query('SELECT 1'))).toBe('E(25P02) Z(E)')
    expect(proxied.injected()).toHaveLength(before)
    expect(shape(await client.query('ROLLBACK'))).toBe('C Z(I)')
    await proxied.untilInjected(before + 1)
    expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')
  })

  test('what is set outside of one does not stick; LISTEN is forgotten', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    const client = await proxied.pg()
    await client.query('SET work_mem = 12345')
    await client.query('LISTEN news')
    expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '4MB' }])
    expect((await client.query('SELECT pg_listening_channels()')).rows).toEqual([])
  })

  test('postgres.js: sql.begin', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    const sql = proxied.postgresJs()
    await sql.begin(async (transaction) => {
      await transaction`SET work_mem = 12345`
      for (let id = 1; id <= 3; id++) await transaction`INSERT INTO notes VALUES (${id})`
      expect([...(await transaction`SHOW work_mem`)]).toEqual([{ work_mem: '12345kB' }])
    })
    expect([...(await sql`SHOW work_mem`)]).toEqual([{ work_mem: '4MB' }])
    expect(await noteIds(server())).toEqual([1, 2, 3])
  })
})

describe('a client that does not wait for answers', () => {
  test('gets the right ones, in order, with another connection after each', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    await using client = await proxied.raw()
    const before = proxied.injected().length
    const answers = await client.ask(
      [
        [parse('SELECT $1::int', 'given'), bind([1], 'given'), execute(), sync()],
        [bind([2], 'given'), execute(), sync()],
        [parse('SELECT 3'), bind(), execute(), sync()],
        [query('SET work_mem = 12345')],
        [query('SHOW work_mem')],
        [query('BEGIN'), query('SET work_mem = 12345'), query('SHOW work_mem'), query('COMMIT')],
        [query('SELECT 4; SELECT 5')],
      ].flat(),
      10,
    )
    expect(said(answers)).toEqual(
      [
        ['1', '2', 'D 1', 'C SELECT 1', 'Z I'],
        ['E 26000 ERROR prepared statement "given" does not exist', 'Z I'],
        ['1', '2', 'D 3', 'C SELECT 1', 'Z I'],
        ['C SET', 'Z I'],
        ['T work_mem', 'D 4MB', 'C SHOW', 'Z I'],
        ['C BEGIN', 'Z T', 'C SET', 'Z T', 'T work_mem', 'D 12345kB', 'C SHOW', 'Z T', 'C COMMIT', 'Z I'],
        ['T ?column?', 'D 4', 'C SELECT 1', 'T ?column?', 'D 5', 'C SELECT 1', 'Z I'],
      ].flat(),
    )
    // Not one in the middle of a transaction.
    expect(proxied.injected()).toHaveLength(before + 7)
  })

  test('and still gets answers that it asks for by Flush, without Sync', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    await using client = await proxied.raw()
    client.forget()
    client.send(query('SELECT 1'), parse('SELECT 2'), bind(), execute(), flush())
    await client.until((messages) => shape(messages) === 'T D C Z(I) 1 2 D C', 'both')
    client.send(sync())
    await client.untilReady(2)
    expect(shape(client.messages)).toBe('T D C Z(I) 1 2 D C Z(I)')
  })

  test('postgres.js: 50 queries at once over one connection', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    // With prepared statements that are lost again and again, several at a time confuse this client by itself.
    const sql = proxied.postgresJs({ prepare: false })
    const numbers = Array.from({ length: 50 }, (_, index) => index)
    const answers = await Promise.all(numbers.map((number) => sql`SELECT ${number}::int AS number`))
    expect(answers.map(([row]) => row?.['number'])).toEqual(numbers)
  })

  test('goes on at once when the fault is removed', async () => {
    await using proxied = await startPostgresProxied(server(), [POOLER])
    await using client = await proxied.raw()
    client.forget()
    client.send(query('SELECT pg_sleep(0.05)'), ...Array<Buffer>(20).fill(query('SELECT 1')))
    proxied.proxy.removeAllFaults()
    await client.untilReady(21)
    expect(client.messages.filter(({ type }) => type === 'E')).toEqual([])
  })
})

test('every: only after every second transaction', async () => {
  await using proxied = await startPostgresProxied(server())
  const client = await proxied.pg()
  proxied.proxy.addFault({ ...POOLER, every: 2 })
  const seen: string[] = []
  for (let run = 0; run < 3; run++) {
    await client.query('SET work_mem = 12345')
    seen.push((await client.query('SHOW work_mem')).rows[0].work_mem)
  }
  expect(seen).toEqual(['12345kB', '12345kB', '12345kB'])
  expect(proxied.injected()).toHaveLength(3)
  expect((await client.query('SHOW work_mem')).rows).toEqual([{ work_mem: '4MB' }])
})

test('beside pg_read_only: whichever connection it gets, it may not write', async () => {
  await using proxied = await startPostgresProxied(server(), [{ type: 'pg_read_only' }, POOLER])
  const client = await proxied.pg()
  for (let id = 1; id <= 3; id++) {
    expect(await codeOf(client.query('INSERT INTO notes VALUES ($1)', [id]))).toBe('25006')
  }
  proxied.proxy.removeFault('pg_read_only_downstream')
  await client.query('INSERT INTO notes VALUES (4)')
  expect(await noteIds(server())).toEqual([4])
})
