// What real clients and servers do inside TLS that the proxy ends, with a fault on statements in place.
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import { readMessages, shape } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { codeOf, createNotes, noteIds, untilFound } from '../../../support/postgres-faults.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import {
  connectPg,
  openPostgresJs,
  patience,
  startTlsProxied,
  TlsClient,
  tlsServer,
  type TlsProxied,
} from '../../../support/postgres-tls.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { RawSocket } from '../../../support/sockets.ts'

const server = postgresForTests(tlsServer)
const failing = {
  name: 'failing',
  type: 'pg_error',
  attributes: { code: '40001' },
  match: { statement: 'select', table: 'notes' },
}
const trusting = { rejectUnauthorized: false }
const MEGABYTE = 1_000_000

const start = (faults: readonly object[] = [failing]): Promise<TlsProxied> =>
  startTlsProxied(server(), { tls: 'terminate' }, faults as (typeof failing)[])

function digest(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** What comes in answer, without a look at its messages: that would take long. */
async function collect({ socket }: PostgresConversation, sql: string, bytes: number): Promise<Buffer> {
  const before = socket.receivedBytes
  socket.write(frontend.query(sql))
  await socket.untilBytes(before + bytes, patience.timeout)
  expect(socket.receivedBytes).toBe(before + bytes)
  return socket.received.subarray(before)
}

describe('what passes', () => {
  test('20 MB in one row, up and down, byte by byte', async () => {
    await using proxied = await start()
    const client = await connectPg(proxied.port, { ssl: true })
    const sent = randomBytes(20 * MEGABYTE)
    const { rows } = await client.query<{ same: Buffer; sum: string }>({
      text: `SELECT $1::bytea AS same, encode(sha256($1), 'hex') AS sum`,
      values: [sent],
    })
    expect(rows[0]!.sum).toBe(digest(sent))
    expect(digest(rows[0]!.same)).toBe(digest(sent))
    await client.end()
  })

  test('20 MB in many rows, to a client that reads late', async () => {
    await using proxied = await start()
    await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
    await using direct = await PostgresConversation.connect({ port: server().port })
    const sql = `SELECT repeat(chr(33 + n % 90), 1000) FROM generate_series(1, 20000) AS n`
    // RowDescription, then DataRows with a header, the number of columns and the length of the only one.
    const bytes = 32 + 20_000 * (5 + 2 + 4 + 1000) + Buffer.byteLength('C....SELECT 20000.Z....I')
    client.socket.socket.pause()
    const answer = collect(client, sql, bytes)
    // The server has more to say than sockets and the proxy take in: it has to wait for the client.
    const waiting = `application_name <> 'direct' AND wait_event = 'ClientWrite'`
    await untilFound(server(), `SELECT 1 FROM pg_stat_activity WHERE ${waiting}`)
    client.socket.socket.resume()
    expect(digest(await answer)).toBe(digest(await collect(direct, sql, bytes)))
  })

  test('LISTEN and NOTIFY: what comes while nothing is asked', async () => {
    await using proxied = await start()
    const client = await connectPg(proxied.port, { ssl: true })
    const heard: (string | undefined)[] = []
    client.on('notification', ({ payload }) => heard.push(payload))
    await client.query('LISTEN news')
    await server().query(`NOTIFY news, 'one'`)
    await vi.waitUntil(() => heard.length === 1, patience)
    await server().query(`NOTIFY news, 'two'`)
    await vi.waitUntil(() => heard.length === 2, patience)
    expect(heard).toEqual(['one', 'two'])
    await client.end()
  })

  test('many queries at once, of which only those fail that should', async () => {
    await createNotes(server())
    await server().query('GRANT SELECT ON notes TO ann')
    await using proxied = await start()
    const sql = openPostgresJs(proxied.port, 'require')
    const codes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => codeOf(n % 10 === 3 ? sql`SELECT * FROM notes` : sql`SELECT ${n}::int`)),
    )
    expect(codes).toEqual(codes.map((_, n) => (n % 10 === 3 ? '40001' : 'none')))
    await sql.end()
    await proxied.untilEmpty()
  })
})

describe('how connections begin', () => {
  test('with TLS at once', async () => {
    await createNotes(server())
    await using proxied = await start()
    const client = await TlsClient.open(proxied.port, 'direct')
    client.write(frontend.startup({ user: 'postgres', database: 'postgres' }))
    const ready = (count: number) => () =>
      readMessages(client.received).messages.filter(({ type }) => type === 'Z').length === count
    await client.until(ready(1), 'the login', patience.timeout)
    client.write(frontend.query('SELECT * FROM notes'))
    await client.until(ready(2), 'an answer', patience.timeout)
    expect(shape(readMessages(client.received).messages.slice(-2))).toBe('E(40001) Z(I)')
    client.end(frontend.terminate())
    await proxied.untilEmpty()
  })

  test('with a question for GSSAPI, which is denied, as any client then goes on', async () => {
    await using proxied = await start()
    const plain = await RawSocket.connect(proxied.port)
    plain.write(frontend.gssEncRequest())
    await plain.untilBytes(1)
    expect(plain.text).toBe('N')
    plain.write(frontend.sslRequest())
    await plain.untilBytes(2)
    expect(plain.text).toBe('NS')
    plain.destroy()
    await proxied.untilEmpty()
  })

  test('with passthrough the question for GSSAPI is the server’s to answer', async () => {
    await using proxied = await startTlsProxied(server(), {}, [failing])
    const plain = await RawSocket.connect(proxied.port)
    plain.write(frontend.gssEncRequest())
    await plain.untilBytes(1)
    // The server of the tests has none.
    expect(plain.text).toBe('N')
    plain.write(frontend.startup({ user: 'postgres', database: 'postgres' }))
    await plain.until(() => readMessages(plain.received.subarray(1)).messages.at(-1)?.type === 'Z', 'the login')
    expect(proxied.events()).toEqual([])
    plain.destroy()
    await proxied.untilEmpty()
  })

  test('with a second question for TLS inside of TLS, which ends them as servers do', async () => {
    await using proxied = await start()
    const client = await TlsClient.open(proxied.port, 'requested')
    client.write(frontend.sslRequest())
    await client.untilEnded()
    const [error] = readMessages(client.received).messages
    expect(error?.fields).toMatchObject({ severity: 'FATAL', code: '0A000' })
    await proxied.untilEmpty()
  })
})

test.each(['requested', 'direct'] as const)('a CancelRequest inside TLS reaches the server: TLS %s', async (how) => {
  await using proxied = await start()
  await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
  const answer = client.query('SELECT pg_sleep(600)')
  await untilFound(server(), `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`)
  const canceller = await TlsClient.open(proxied.port, how)
  canceller.write(frontend.cancelRequest(client.processId, client.cancelKey))
  // That was all: the server closes, and so does the proxy.
  expect(await canceller.untilEnded(patience.timeout)).toBe('FIN')
  expect(shape(await answer)).toBe('T E(57014) Z(I)')
})

test('a CancelRequest inside TLS ends what the proxy itself holds', async () => {
  const held = { name: 'held', type: 'pg_delay', attributes: { delayMs: 600_000 }, match: { statement: 'select' } }
  await using proxied = await start([held])
  await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
  const answer = client.query('SELECT 1')
  await vi.waitUntil(() => proxied.proxy.fault('held')?.injections === 1, patience)
  const canceller = await TlsClient.open(proxied.port, 'requested')
  canceller.write(frontend.cancelRequest(client.processId, client.cancelKey))
  expect(await canceller.untilEnded(patience.timeout)).toBe('FIN')
  expect(shape(await answer)).toBe('E(57014) Z(I)')
})

describe('faults that do more than fail a statement', () => {
  test.each([
    ['before', []],
    ['after', [1]],
  ] as const)('pg_commit_lost %s', async (when, stored) => {
    await createNotes(server())
    await using proxied = await start([{ type: 'pg_commit_lost', attributes: { when } }])
    await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
    await client.query('BEGIN')
    await client.query(`INSERT INTO notes VALUES (1, 'one')`)
    client.forget()
    client.send(frontend.query('COMMIT'))
    expect(await client.untilEnded(patience.timeout)).toBe('ECONNRESET')
    expect(client.messages).toEqual([])
    // A server that has not got it may take a moment to give the transaction up.
    await untilFound(server(), `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE state LIKE 'idle in%')`)
    expect(await noteIds(server())).toEqual(stored)
    await proxied.untilEmpty()
  })

  test('pg_delay before the rows', async () => {
    const delayMs = 60
    await using proxied = await start([{ type: 'pg_delay', attributes: { at: 'rows', delayMs } }])
    const client = await connectPg(proxied.port, { ssl: true })
    const beganMs = performance.now()
    const { rows } = await client.query('SELECT generate_series(1, 5) AS n')
    expect(rows).toEqual([1, 2, 3, 4, 5].map((n) => ({ n })))
    // One delay for each row. Timers count whole milliseconds and may fire one early.
    expect(performance.now() - beganMs).toBeGreaterThan(5 * (delayMs - 1))
    await client.end()
  })

  test('pg_terminate: the error arrives before the end', async () => {
    await using proxied = await start([{ type: 'pg_terminate', attributes: { when: 'result', rows: 3 } }])
    await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
    client.forget()
    client.send(frontend.query('SELECT generate_series(1, 5)'))
    expect(await client.untilEnded(patience.timeout)).toBe('FIN')
    expect(shape(client.messages)).toBe('T D D D E(57P01)')
    await proxied.untilEmpty()
  })

  test('pg_truncate: in the middle of a row, with no end of TLS behind it', async () => {
    await using proxied = await start([{ type: 'pg_truncate', attributes: { rows: 2, partOfRow: true } }])
    await using client = await PostgresConversation.connect({ port: proxied.port, tls: trusting })
    client.forget()
    client.send(frontend.query(`SELECT repeat('x', 100) FROM generate_series(1, 5)`))
    expect(await client.untilEnded(patience.timeout)).toBe('ECONNRESET')
    expect(shape(client.messages)).toBe('T D D')
    expect(client.unfinished.length).toBeGreaterThan(0)
    await proxied.untilEmpty()
  })
})
