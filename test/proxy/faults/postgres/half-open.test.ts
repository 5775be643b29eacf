// pg_half_open: the server has done its work, nobody hears of it, and the connection stays.
import { beforeEach, describe, expect, test } from 'vitest'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { cancel, PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe as ask, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import {
  codeOf,
  createNotes,
  noteIds,
  startPostgresProxied,
  untilClientsAre,
  untilFound,
  ways,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()
const HELD = 'pg_half_open_downstream hold'
const ON_INSERT = { type: 'pg_half_open', match: { statement: 'insert' } }
const LOCK_NOTE_1 = 'SELECT FROM notes WHERE id = 1 FOR UPDATE NOWAIT'

beforeEach(() => createNotes(server()))

describe.each(Object.entries(ways))('%s', (_way, connect) => {
  test('outside transactions: stored, not answered; the answer passes when the fault is removed', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault(ON_INSERT)
    let answered = false
    const answer = client.run('INSERT INTO notes VALUES (1) RETURNING id').finally(() => (answered = true))
    await untilFound(server(), 'SELECT FROM notes')
    await proxied.untilInjected(1)
    expect(answered).toBe(false)

    proxied.proxy.removeAllFaults()
    expect(await answer).toEqual([{ id: 1 }])
    expect(await client.run('SELECT count(*)::int FROM notes')).toEqual([{ count: 1 }])
    expect(proxied.injected()).toEqual([HELD])
  })

  test('in a transaction: the server keeps its locks, for others to wait for', async () => {
    await using proxied = await startPostgresProxied(server())
    await server().query('INSERT INTO notes VALUES (1)')
    const client = await connect(proxied)
    await client.run('BEGIN')
    proxied.proxy.addFault({ type: 'pg_half_open', match: { statement: 'update' } })
    const answer = client.run(`UPDATE notes SET note = 'new'`)
    await proxied.untilInjected(1)
    // It has run: the server waits for its client, who does not know.
    await untilFound(server(), `SELECT FROM pg_stat_activity WHERE state = 'idle in transaction'`)
    expect(await codeOf(server().query(LOCK_NOTE_1))).toBe('55P03')

    proxied.proxy.removeAllFaults()
    await answer
    await client.run('COMMIT')
    expect(await server().query(LOCK_NOTE_1)).toHaveLength(1)
    expect(await server().query('SELECT note FROM notes')).toEqual([{ note: 'new' }])
    expect(proxied.injected()).toEqual([HELD])
  })
})

test('a COMMIT is done and not heard of', async () => {
  await using proxied = await startPostgresProxied(server(), [{ type: 'pg_half_open', match: { statement: 'commit' } }])
  const client = await proxied.pg()
  await client.query('BEGIN')
  await client.query('INSERT INTO notes VALUES (1)')
  const answer = client.query('COMMIT')
  await untilFound(server(), 'SELECT FROM notes')
  await proxied.untilInjected(1)
  proxied.proxy.removeAllFaults()
  expect((await answer).command).toBe('COMMIT')
})

test('all that is said behind it is done and held, too, and passes in order, byte for byte', async () => {
  await using proxied = await startPostgresProxied(server())
  await using through = await proxied.raw()
  await using direct = await PostgresConversation.connect(server().connectionOptions)
  const messages = [
    [parse('INSERT INTO notes VALUES ($1), ($1 + 1)'), bind([1]), ask(), execute(), sync()],
    query('SELECT 1; INSERT INTO notes VALUES (3); SELECT nothing'),
    query('INSERT INTO notes VALUES (4)'),
  ].flat()
  direct.forget()
  await direct.ask(messages, 3)

  await server().query('DELETE FROM notes')
  proxied.proxy.addFault(ON_INSERT)
  through.forget()
  through.send(...messages)
  await untilFound(server(), 'SELECT FROM notes WHERE id = 4')
  await proxied.untilInjected(1)
  // What comes before the statement's own answer passes; nothing else does.
  await through.untilCount(3)
  expect(shape(through.messages)).toBe('1 2 n')
  expect(through.ending).toBe('open')
  proxied.proxy.removeAllFaults()
  await through.untilReady(3)
  expect(through.messages.map(({ bytes }) => bytes)).toEqual(direct.messages.map(({ bytes }) => bytes))
  expect(await noteIds(server())).toEqual([1, 2, 4])
  expect(proxied.injected()).toEqual([HELD])
})

test('an error is held like any other answer', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  proxied.proxy.addFault({ type: 'pg_half_open' })
  client.forget()
  client.send(query('SELECT 1 / 0'))
  await proxied.untilInjected(1)
  client.send(parse('SELECT 1'), bind(), execute(), sync())
  expect(client.messages).toEqual([])
  proxied.proxy.removeAllFaults()
  await client.untilReady(2)
  expect(shape(client.messages)).toBe('E(22012) Z(I) 1 2 D C Z(I)')
})

test('of a query of several statements, the answers up to the one that matches pass', async () => {
  await using proxied = await startPostgresProxied(server(), [ON_INSERT])
  await using client = await proxied.raw()
  client.forget()
  client.send(query('SELECT 1; INSERT INTO notes VALUES (1); SELECT 2'))
  await client.untilCount(3)
  await proxied.untilInjected(1)
  expect(shape(client.messages)).toBe('T D C')
  proxied.proxy.removeAllFaults()
  await client.untilReady()
  expect(transcript(client.messages).slice(3)).toEqual(['C INSERT 0 1', 'T ?column?', 'D 2', 'C SELECT 1', 'Z I'])
})

test('a CancelRequest reaches the server; the client does not hear of that either', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  proxied.proxy.addFault({ type: 'pg_half_open', match: { query: 'pg_sleep' } })
  client.forget()
  client.send(query('SELECT pg_sleep(600)'))
  await untilFound(server(), `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)
  await cancel(proxied.port, client)
  await untilFound(server(), `SELECT FROM pg_stat_activity WHERE state = 'idle' AND query LIKE '%sleep(600)'`)
  proxied.proxy.removeAllFaults()
  await client.untilReady()
  expect(shape(client.messages)).toBe('T E(57014) Z(I)')
})

test('a client that gives up leaves nothing behind in the server', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  await client.query('BEGIN')
  proxied.proxy.addFault(ON_INSERT)
  client.send(query('INSERT INTO notes VALUES (1)'))
  await proxied.untilInjected(1)
  client.socket.reset()
  await untilClientsAre(server(), 0)
  expect(await noteIds(server())).toEqual([])
})

test('once, with times: 1; other connections go on', async () => {
  await using proxied = await startPostgresProxied(server(), [{ ...ON_INSERT, times: 1 }])
  const first = await proxied.pg()
  const held = first.query('INSERT INTO notes VALUES (1)')
  await proxied.untilInjected(1)
  const second = await proxied.pg()
  await second.query('INSERT INTO notes VALUES (2)')
  expect(await noteIds(server())).toEqual([1, 2])
  proxied.proxy.removeAllFaults()
  expect((await held).rowCount).toBe(1)
  expect(proxied.injected()).toEqual([HELD])
})
