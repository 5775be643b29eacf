// pg_delay: statements that reach the server later, keep it busy for longer, or answer row by row.
import { beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/clock.ts'
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

beforeEach(() => createNotes(server()))

/** An hour: what arrives, arrives because of something else. */
const FOREVER_MS = 3_600_000

function delay(at: string, delayMs = FOREVER_MS, more = {}) {
  return { type: 'pg_delay', attributes: { at, delayMs, ...more } }
}

const BEFORE = { ...delay('before'), match: { statement: 'insert' } }
const HELD = 'pg_delay_downstream delay'

/** Clients of the proxy whose state is this, by the server's words. */
function inState(state: string): string {
  return `SELECT pid, query FROM pg_stat_activity WHERE application_name <> 'direct' AND state = '${state}'`
}

/** Connections on which the server waits for its client. In the extended protocol it has Parse and Bind by then. */
function waiting(way: string, state: string): string {
  return `${inState(way.includes('extended') ? 'active' : state)} AND wait_event = 'ClientRead'`
}

describe.each(Object.entries(ways))('before, %s', (way, connect) => {
  test('the server waits for its client until the fault is removed, then the statement goes on at once', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault(BEFORE)
    const answer = client.run('INSERT INTO notes VALUES (1) RETURNING id')
    await proxied.untilInjected(1)
    expect(await untilFound(server(), waiting(way, 'idle'))).toHaveLength(1)
    expect(await noteIds(server())).toEqual([])

    proxied.proxy.removeAllFaults()
    expect(await answer).toEqual([{ id: 1 }])
    expect(await noteIds(server())).toEqual([1])
    expect(proxied.injected()).toEqual([HELD])
  })

  test('in a transaction the server waits in it, and keeps what it has locked', async () => {
    await using proxied = await startPostgresProxied(server())
    await server().query('INSERT INTO notes VALUES (1)')
    const client = await connect(proxied)
    await client.run('BEGIN')
    await client.run(`UPDATE notes SET note = 'new'`)
    proxied.proxy.addFault(BEFORE)
    const answer = client.run('INSERT INTO notes VALUES (2)')
    await proxied.untilInjected(1)
    await untilFound(server(), waiting(way, 'idle in transaction'))
    expect(await codeOf(server().query('SELECT FROM notes WHERE id = 1 FOR UPDATE NOWAIT'))).toBe('55P03')
    proxied.proxy.removeAllFaults()
    await answer
    await client.run('COMMIT')
    expect(await noteIds(server())).toEqual([1, 2])
  })

  test('takes as long as it was told to, each time', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...delay('before', 30), match: { statement: 'insert' } })
    const began = performance.now()
    for (let id = 1; id <= 3; id++) await client.run(`INSERT INTO notes VALUES (${id})`)
    // A timer may fire 1 ms early.
    expect(performance.now() - began).toBeGreaterThan(3 * 29)
    expect(await client.run('SELECT count(*)::int FROM notes')).toEqual([{ count: 3 }])
    expect(proxied.injected()).toEqual([HELD, HELD, HELD])
  })
})

test('before: what the client says meanwhile waits its turn; answers are those of a direct connection', async () => {
  await using proxied = await startPostgresProxied(server())
  await using through = await proxied.raw()
  await using direct = await PostgresConversation.connect(server().connectionOptions)
  const messages = [
    [query('SELECT 1; INSERT INTO notes VALUES (1); SELECT 2')],
    [parse('INSERT INTO notes VALUES ($1)'), bind([2]), ask(), execute(), bind([1]), execute(), sync()],
    [parse('SELECT count(*) FROM notes'), bind(), execute(), sync(), query('SELECT nothing')],
  ].flat()
  direct.forget()
  await direct.ask(messages, 4)
  await server().query('DELETE FROM notes')

  proxied.proxy.addFault({ ...delay('before', 5), match: { statement: ['insert', 'select'] } })
  through.forget()
  await through.ask(messages, 4)
  expect(transcript(through.messages)).toEqual(transcript(direct.messages))
  expect(through.messages.map(({ bytes }) => bytes)).toEqual(direct.messages.map(({ bytes }) => bytes))
  // All nine statements but the SELECT of nothing are known before they fail: that, too, is delayed.
  expect(proxied.injected()).toHaveLength(3 + 2 + 1 + 1)
})

test('jitter: delays are as the distribution says, and on record', async () => {
  await using proxied = await startPostgresProxied(server(), [delay('before', 10, { jitterMs: 5 })])
  const client = await proxied.pg()
  for (let run = 0; run < 20; run++) await client.query('SELECT 1')
  const delays = proxied.network.injections.entries().map(({ detail }) => Number(detail['delayMs']))
  expect(delays).toHaveLength(20)
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(5)
  expect(Math.max(...delays)).toBeLessThanOrEqual(15)
  expect(new Set(delays).size).toBeGreaterThan(5)
})

describe('in the server', () => {
  test.each(Object.entries(ways))('%s: its own statement_timeout fires', async (_way, connect) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    // Long enough for all else that is asked here.
    await client.run(`SET statement_timeout = '250ms'`)
    proxied.proxy.addFault({ ...delay('server'), match: { statement: 'insert' } })
    await expect(client.run('INSERT INTO notes VALUES (1)')).rejects.toMatchObject({
      code: '57014',
      message: 'canceling statement due to statement timeout',
    })
    await client.run('BEGIN')
    expect(await codeOf(client.run('INSERT INTO notes VALUES (2)'))).toBe('57014')
    expect(await codeOf(client.run('SELECT 1'))).toBe('25P02')
    await client.run('ROLLBACK')
    expect(await client.run('SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(await noteIds(server())).toEqual([])
    expect(proxied.injected()).toEqual(Array(2).fill('pg_delay_downstream delay_in_server'))
  })

  test.each(Object.entries(ways))('%s: is busy for so long, then does what it was asked', async (_way, connect) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...delay('server', 50), match: { statement: 'insert' } })
    const began = performance.now()
    expect(await client.run('INSERT INTO notes VALUES (1) RETURNING id')).toEqual([{ id: 1 }])
    expect(performance.now() - began).toBeGreaterThan(49)
    await client.run('BEGIN')
    await client.run('INSERT INTO notes VALUES (2)')
    await client.run('COMMIT')
    expect(await noteIds(server())).toEqual([1, 2])
  })

  test.each([
    ['simple', [query('INSERT INTO notes VALUES (1) RETURNING id')], 'E(57014) Z(I)'],
    ['extended', [parse('INSERT INTO notes VALUES (1)'), bind(), execute(), sync()], '1 2 E(57014) Z(I)'],
  ] as const)('%s: a CancelRequest reaches it', async (_name, messages, seen) => {
    await using proxied = await startPostgresProxied(server(), [{ ...delay('server'), match: { statement: 'insert' } }])
    await using client = await proxied.raw()
    client.forget()
    client.send(...messages)
    await untilFound(server(), `${inState('active')} AND wait_event = 'PgSleep'`)
    await cancel(proxied.port, client)
    await client.untilReady()
    expect(shape(client.messages)).toBe(seen)
    expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')
    expect(await noteIds(server())).toEqual([])
  })

  test('a pipeline and several statements at once: answers are those of a direct connection', async () => {
    await using proxied = await startPostgresProxied(server())
    await using through = await proxied.raw()
    await using direct = await PostgresConversation.connect(server().connectionOptions)
    const messages = [
      [query('BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO notes VALUES (1); SELECT 2')],
      [parse('INSERT INTO notes VALUES ($1)', 'insert'), bind([2], 'insert'), execute(), sync()],
      [query('COMMIT')],
      [bind([3], 'insert'), execute(), bind([1], 'insert'), execute(), bind([4], 'insert'), execute(), sync()],
    ].flat()
    direct.forget()
    await direct.ask(messages, 4)
    await server().query('DELETE FROM notes')
    proxied.proxy.addFault({ ...delay('server', 2), match: { statement: ['insert', 'commit'] } })
    through.forget()
    await through.ask(messages, 4)
    expect(transcript(through.messages)).toEqual(transcript(direct.messages))
    expect(await noteIds(server())).toEqual([1, 2])
  })

  test('not before BEGIN, which it would keep from choosing an isolation level: an event says so', async () => {
    await using proxied = await startPostgresProxied(server(), [delay('server', 10)])
    const client = await proxied.pg()
    await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE')
    await client.query('SELECT 1')
    const reasons = proxied.network.events.entries().map(({ detail }) => detail['reason'])
    expect(reasons).toEqual(['the server can not be made to sleep before begin'])
    expect(proxied.injected()).toEqual(['pg_delay_downstream delay_in_server'])
  })
})

describe('a CancelRequest while the proxy holds the statement', () => {
  test.each([
    ['simple', [query('INSERT INTO notes VALUES (1)')], 'E(57014)'],
    // As a server that was asked to stop before it had begun: it is the whole query that has not come yet.
    ['several statements', [query('SELECT 1; INSERT INTO notes VALUES (1)')], 'E(57014)'],
    ['extended', [parse('INSERT INTO notes VALUES (1)'), bind(), execute(), sync()], '1 2 E(57014)'],
  ] as const)('%s: fails as in the server, in and out of transactions', async (_name, messages, seen) => {
    await using proxied = await startPostgresProxied(server(), [BEFORE])
    await using client = await proxied.raw()
    client.forget()
    client.send(...messages)
    await proxied.untilInjected(1)
    await cancel(proxied.port, client)
    await client.untilReady()
    expect(shape(client.messages)).toBe(`${seen} Z(I)`)
    expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')

    await client.query('BEGIN')
    client.forget()
    client.send(...messages)
    await proxied.untilInjected(2)
    await cancel(proxied.port, client)
    await client.untilReady()
    expect(shape(client.messages)).toBe(`${seen} Z(E)`)
    expect(transcript(await client.query('COMMIT'))).toEqual(['C ROLLBACK', 'Z I'])
    expect(await noteIds(server())).toEqual([])
    expect(proxied.injected()).toEqual([HELD, HELD])
  })

  test('the error is the genuine one, byte for byte', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...delay('before'), match: { query: 'pg_sleep' } }])
    await using through = await proxied.raw()
    await using direct = await PostgresConversation.connect(server().connectionOptions)
    const errors: Buffer[] = []
    for (const client of [through, direct]) {
      client.forget()
      client.send(query('SELECT pg_sleep(600)'))
      if (client === through) await proxied.untilInjected(1)
      else await untilFound(server(), `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)
      await cancel(client === through ? proxied.port : server().port, client)
      await client.untilReady()
      errors.push(client.messages.find(({ type }) => type === 'E')!.bytes)
    }
    expect(errors[0]!.toString()).toBe(errors[1]!.toString())
  })

  test('postgres.js: query.cancel()', async () => {
    await using proxied = await startPostgresProxied(server(), [BEFORE])
    const sql = proxied.postgresJs()
    await sql`SELECT 1`
    const pending = sql`INSERT INTO notes VALUES (1)`
    const failed = codeOf(pending)
    await proxied.untilInjected(1)
    pending.cancel()
    expect(await failed).toBe('57014')
    expect([...(await sql`SELECT 2 AS two`)]).toEqual([{ two: 2 }])
    expect(await noteIds(server())).toEqual([])
  })

  test('one for a connection that is idle does nothing', async () => {
    await using proxied = await startPostgresProxied(server(), [BEFORE])
    await using client = await proxied.raw()
    await cancel(proxied.port, client)
    expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')
  })
})

function rowsIn(client: PostgresConversation): number {
  return client.messages.filter(({ type }) => type === 'D').length
}

describe('rows', () => {
  const SQL = 'SELECT generate_series(1, 10)'
  const PACED = 'pg_delay_downstream pace'

  const protocols = [
    ['simple', [query(SQL)], 'T'],
    ['extended', [parse(SQL), bind(), ask(), execute(), sync()], '1 2 T'],
  ] as const

  test.each(protocols)('%s: what waits passes when the fault is removed', async (_name, messages, seen) => {
    await using proxied = await startPostgresProxied(server())
    await using client = await proxied.raw()
    proxied.proxy.addFault(delay('rows'))
    client.forget()
    client.send(...messages)
    await proxied.untilInjected(1)
    await client.until((all) => all.some(({ type }) => type === 'T'), 'the description of rows')
    expect(shape(client.messages)).toBe(seen)
    proxied.proxy.removeAllFaults()
    await client.untilReady()
    expect(rowsIn(client)).toBe(10)
    expect(proxied.injected()).toEqual([PACED])
  })

  test.each(protocols)('%s: every fourth row waits', async (_name, messages) => {
    await using proxied = await startPostgresProxied(server(), [delay('rows', 50, { everyRows: 4 })])
    await using client = await proxied.raw()
    client.forget()
    const counts = new Set<number>()
    // The two ends of each wait are turns of the same loop: however slow it is, nothing is read together.
    client.socket.socket.on('data', () => counts.add(rowsIn(client)))
    await client.ask(messages)
    expect([...counts]).toEqual([0, 4, 8, 10])
    expect(proxied.injected()).toEqual([PACED])
  })

  test.each(Object.entries(ways))('%s: each row takes its time', async (_way, connect) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault(delay('rows', 20))
    const began = performance.now()
    expect(await client.run(`${SQL} AS n`)).toEqual(Array.from({ length: 10 }, (_, index) => ({ n: index + 1 })))
    expect(performance.now() - began).toBeGreaterThan(10 * 19)
  })
})

describe('commit', () => {
  test.each(Object.entries(ways))(
    '%s: of an open transaction only; nobody sees its rows before',
    async (way, connect) => {
      await using proxied = await startPostgresProxied(server())
      const client = await connect(proxied)
      proxied.proxy.addFault(delay('commit'))
      await client.run('INSERT INTO notes VALUES (1)')
      await client.run('BEGIN')
      await client.run('INSERT INTO notes VALUES (2)')
      const answer = client.run('COMMIT')
      await proxied.untilInjected(1)
      await untilFound(server(), waiting(way, 'idle in transaction'))
      expect(await noteIds(server())).toEqual([1])
      proxied.proxy.removeAllFaults()
      await answer
      expect(await noteIds(server())).toEqual([1, 2])
      expect(proxied.injected()).toEqual([HELD])
    },
  )

  test('postgres.js: sql.begin', async () => {
    await using proxied = await startPostgresProxied(server(), [delay('commit')])
    const sql = proxied.postgresJs()
    const done = sql.begin(async (transaction) => void (await transaction`INSERT INTO notes VALUES (1)`))
    await proxied.untilInjected(1)
    expect(await noteIds(server())).toEqual([])
    proxied.proxy.removeAllFaults()
    await done
    expect(await noteIds(server())).toEqual([1])
  })
})

test('a client that gives up while its statement is held: the server never gets it', async () => {
  const clock = new ManualClock()
  await using proxied = await startPostgresProxied(server(), [BEFORE], { clock })
  await using client = await proxied.raw()
  client.send(query('INSERT INTO notes VALUES (1)'))
  await proxied.untilInjected(1)
  client.socket.reset()
  await untilClientsAre(server(), 0)
  expect(clock.pendingTimers).toBe(0)
  clock.advance(FOREVER_MS)
  expect(await noteIds(server())).toEqual([])
})
