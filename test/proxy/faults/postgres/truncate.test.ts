// pg_truncate: a result that breaks off.
import { beforeEach, describe, expect, test } from 'vitest'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe as ask, execute, message, parse, query, sync } from '../../../support/postgres-frontend.ts'
import {
  brokenOff,
  codeOf,
  createNotes,
  noteIds,
  startPostgresProxied,
  untilFound,
  ways,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { startProxied, portOf } from '../../../support/proxied.ts'

const server = postgresForTests()
const TRUNCATED = 'pg_truncate_downstream truncate'

beforeEach(() => createNotes(server()))

function truncate(rows: number, partOfRow = false) {
  return { type: 'pg_truncate', attributes: { rows, partOfRow } }
}

const SQL = 'SELECT n, n * 10 FROM generate_series(1, 6) AS n'
const SIMPLE = [query(SQL)]
const EXTENDED = [parse(SQL), bind(), ask(), execute(), sync()]

describe('so many rows and no more, then RST', () => {
  test.each([
    ['simple', 0, SIMPLE, 'T'],
    ['simple', 1, SIMPLE, 'T D'],
    ['simple', 4, SIMPLE, 'T D D D D'],
    ['extended', 0, EXTENDED, '1 2 T'],
    ['extended', 4, EXTENDED, '1 2 T D D D D'],
  ] as const)('%s: %d rows', async (_name, rows, messages, seen) => {
    await using proxied = await startPostgresProxied(server())
    await using client = await proxied.raw()
    proxied.proxy.addFault(truncate(rows))
    client.forget()
    client.send(...messages)
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(shape(client.messages)).toBe(seen)
    expect(client.unfinished).toHaveLength(0)
    expect(proxied.injected()).toEqual([TRUNCATED])
    expect(proxied.network.injections.entries()[0]!.detail['rows']).toBe(rows)
  })
})

describe('half of the next row', () => {
  test.each([
    ['simple', SIMPLE],
    ['extended', EXTENDED],
  ] as const)('%s', async (_name, messages) => {
    await using direct = await PostgresConversation.connect(server().connectionOptions)
    direct.forget()
    const rows = (await direct.ask(messages)).filter(({ type }) => type === 'D')

    await using proxied = await startPostgresProxied(server(), [{ ...truncate(2, true), match: { query: 'n * 10' } }])
    await using client = await proxied.raw()
    client.forget()
    client.send(...messages)
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(transcript(client.messages.filter(({ type }) => type === 'D'))).toEqual(['D 1,10', 'D 2,20'])
    // Behind its header of five bytes.
    const half = 5 + Math.floor((rows[2]!.bytes.length - 5) / 2)
    expect(client.unfinished).toEqual(rows[2]!.bytes.subarray(0, half))
  })

  test('of a row that comes in pieces, wherever they begin and end', async () => {
    const row = message('D', Buffer.from('\0\x01\0\0\0\x0aabcdefghij', 'latin1'))
    const wanted = row.subarray(0, 5 + Math.floor((row.length - 5) / 2))
    const begins = [message('R', Buffer.alloc(4)), message('K', Buffer.alloc(8)), message('Z', Buffer.from('I'))]
    for (let cut = 1; cut < row.length; cut++) {
      await using proxied = await startProxied([truncate(0, true)], {}, { protocol: 'postgres' })
      const accepted = proxied.upstream.next()
      const options = { port: portOf(proxied.proxy), user: 'ann', database: 'app' }
      await using client = await PostgresConversation.begin(options)
      const upstream = await accepted
      upstream.write(Buffer.concat(begins))
      await client.untilReady()
      client.forget()
      client.send(query('SELECT 1'))
      await upstream.until(() => upstream.text.includes('SELECT 1'), 'the query')
      upstream.write(message('T', Buffer.of(0, 0)))
      await client.untilCount(1)
      const { downstream } = proxied.proxy.traffic
      const arrived = downstream.receivedBytes + cut
      upstream.write(row.subarray(0, cut))
      // The rest is not to be read together with it.
      while (downstream.receivedBytes < arrived) await new Promise(setImmediate)
      upstream.write(row.subarray(cut))
      expect(await client.untilEnded()).toBe('ECONNRESET')
      expect(client.unfinished.toString('hex'), `cut at ${cut}`).toBe(wanted.toString('hex'))
    }
  })

  test('of a row that is larger than what is read at once', async () => {
    const bytes = 3_000_000
    await using proxied = await startPostgresProxied(server(), [truncate(1, true)])
    await using client = await proxied.raw()
    client.forget()
    client.send(query(`SELECT repeat('x', ${bytes}) FROM generate_series(1, 3)`))
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(shape(client.messages)).toBe('T D')
    const whole = client.messages[1]!.bytes.length
    expect(client.unfinished).toHaveLength(5 + Math.floor((whole - 5) / 2))
  })
})

describe.each(Object.entries(ways))('%s', (_way, connect) => {
  test('the connection breaks off; a transaction is rolled back', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...truncate(2), match: { statement: 'select' } })
    await client.run('BEGIN')
    await client.run('INSERT INTO notes VALUES (1)')
    expect(brokenOff).toContain(await codeOf(client.run('SELECT generate_series(1, 5)')))
    // No lock is left: the server has noticed.
    await untilFound(server(), `SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in%' HAVING count(*) = 0`)
    expect(await noteIds(server())).toEqual([])
    expect(proxied.injected()).toEqual([TRUNCATED])
  })

  test('outside of one, what a statement did has been done', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...truncate(2), match: { statement: 'insert' } })
    expect(brokenOff).toContain(await codeOf(client.run('INSERT INTO notes SELECT generate_series(1, 5) RETURNING id')))
    expect(await noteIds(server())).toEqual([1, 2, 3, 4, 5])
  })

  test('a result that is shorter passes, and does not count', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault(truncate(3))
    expect(await client.run('SELECT generate_series(1, 3) AS n')).toHaveLength(3)
    expect(await client.run('INSERT INTO notes VALUES (1)')).toEqual([])
    expect(proxied.injected()).toEqual([])
  })
})

test('of several statements at once, each has its own rows', async () => {
  await using proxied = await startPostgresProxied(server(), [truncate(2)])
  await using client = await proxied.raw()
  client.forget()
  client.send(query('SELECT generate_series(1, 2); SELECT 1; SELECT generate_series(1, 4)'))
  expect(await client.untilEnded()).toBe('ECONNRESET')
  expect(shape(client.messages)).toBe('T D D C T D C T D D')
  expect(proxied.injected()).toEqual([TRUNCATED])
})

test('with times: 1, results that were too short do not use it up', async () => {
  await using proxied = await startPostgresProxied(server())
  const client = await proxied.pg()
  proxied.proxy.addFault({ ...truncate(3), times: 1 })
  for (let run = 0; run < 3; run++) await client.query('SELECT generate_series(1, 3)')
  expect(brokenOff).toContain(await codeOf(client.query('SELECT generate_series(1, 4)')))
  const other = await proxied.pg()
  expect((await other.query('SELECT generate_series(1, 4)')).rows).toHaveLength(4)
  expect(proxied.injected()).toEqual([TRUNCATED])
})

test('a fault that is removed does nothing any more, not even to what has been asked before', async () => {
  await using proxied = await startPostgresProxied(server())
  const client = await proxied.pg()
  await using blocker = await PostgresConversation.connect(server().connectionOptions)
  await blocker.query('SELECT pg_advisory_lock(7)')
  const { name } = proxied.proxy.addFault(truncate(1))
  const answer = client.query('SELECT n, pg_advisory_lock_shared(7) FROM generate_series(1, 3) AS n')
  await untilFound(server(), 'SELECT FROM pg_locks WHERE NOT granted')
  proxied.proxy.removeFault(name)
  await blocker.query('SELECT pg_advisory_unlock(7)')
  expect((await answer).rows).toHaveLength(3)
  expect(proxied.injected()).toEqual([])
})
