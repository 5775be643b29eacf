// Rows, parameters and COPYs of hundreds of megabytes through a proxy whose rules look at every statement, in a process
// of its own whose memory is watched.
import { once } from 'node:events'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bind, copyDone, execute, parse, query, startup, sync, terminate } from '../../../support/postgres-frontend.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { startServed, type Served } from '../../../support/served.ts'

const MEGABYTE = 1024 * 1024
const LONG = Boolean(process.env['FAULTLINE_LONG'])
/** Above the bound, so that whoever keeps it is seen. */
const SIZE_BYTES = (LONG ? 400 : 100) * MEGABYTE
/** The bound, above what the process takes when it is idle. */
const MEMORY_BOUND_BYTES = 64 * MEGABYTE

const never = [
  { type: 'pg_error', name: 'kind', match: { statement: 'merge' }, attributes: { code: '40001' } },
  { type: 'pg_error', name: 'table', match: { table: 'no_such_table' }, attributes: { code: '40001', at: 'commit' } },
  {
    type: 'pg_error',
    name: 'bind',
    match: { parameters: { '1': 'never' } },
    attributes: { code: '40001', at: 'bind' },
  },
]
/** Rows are looked at and counted, each, and the end of the result is held until it is known to be the end. */
const counting = [
  { type: 'pg_delay', name: 'rows', attributes: { at: 'rows', delayMs: 0 } },
  { type: 'pg_truncate', name: 'truncate', attributes: { rows: 2_000_000_000 } },
  { type: 'pg_throttle', name: 'throttle', attributes: { rowsPerSecond: 10_000_000 } },
]

const server = postgresForTests()
let served: Served

beforeAll(async () => {
  served = await startServed()
  await server().query('CREATE UNLOGGED TABLE lines (line text)')
  // Compiled and with its buffers in place, so that idle is idle.
  const port = await proxied('warm', [...never, ...counting])
  await exchange(port, [query(`SELECT repeat('x', ${50 * MEGABYTE})`)])
})

afterAll(() => served[Symbol.asyncDispose]())

async function proxied(name: string, faults: object[]): Promise<number> {
  const upstream = `127.0.0.1:${server().port}`
  const { listen } = await served.api('/v1/proxies', { name, protocol: 'postgres', upstream, faults })
  return Number(listen.split(':')[1])
}

/** What came from the server, of which only the end is kept. */
interface Came {
  bytes: number
  end: string
}

/** The most that is kept of what came. */
const END_BYTES = 64

/** Logs in, says all that, leaves, and waits for the server's end; answers are counted and forgotten. */
async function exchange(
  port: number,
  messages: Iterable<Buffer>,
  pause: () => Promise<void> = async () => {},
): Promise<Came> {
  const socket = net.connect(port, '127.0.0.1')
  const came: Came = { bytes: 0, end: '' }
  try {
    socket.write(startup({ user: 'postgres', database: 'postgres', application_name: 'large' }))
    // Read to the end of the login only: what answers the messages waits in the socket.
    while (!came.end.endsWith('Z\0\0\0\x05I')) receive(came, (await once(socket, 'data')) as [Buffer])
    socket.pause()
    for (const message of messages) if (!socket.write(message)) await once(socket, 'drain')
    socket.write(terminate())
    await pause()
    socket.on('data', (chunk) => receive(came, [chunk]))
    socket.resume()
    await once(socket, 'end')
    return came
  } finally {
    socket.destroy()
  }
}

function receive(came: Came, [chunk]: [Buffer]): void {
  came.bytes += chunk.length
  came.end = (came.end + chunk.toString('latin1', Math.max(0, chunk.length - END_BYTES))).slice(-END_BYTES)
}

/** All there is between the two is full: the server waits for a client that does not read. */
async function untilFull(): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE application_name = 'large' AND wait_event = 'ClientWrite'`
  while ((await server().query(waiting)).length === 0);
}

/** The most memory above idle while `work` runs, looked at every 20 ms. */
async function watched<Result>(work: () => Promise<Result>): Promise<{ result: Result; aboveIdleBytes: number }> {
  const idleBytes = served.residentBytes()
  let most = idleBytes
  const timer = setInterval(() => (most = Math.max(most, served.residentBytes())), 20)
  try {
    return { result: await work(), aboveIdleBytes: most - idleBytes }
  } finally {
    clearInterval(timer)
  }
}

/** CommandComplete, ReadyForQuery. */
const ended = (tag: string): RegExp => new RegExp(`C\0\0\0.${tag}\0Z\0\0\0\x05I$`, 's')

const row = `SELECT repeat('x', ${SIZE_BYTES})`
const rows = `SELECT repeat('x', ${MEGABYTE}) FROM generate_series(1, ${SIZE_BYTES / MEGABYTE})`
const small = `SELECT repeat('x', 100) FROM generate_series(1, ${Math.floor(SIZE_BYTES / 400)})`

function extended(sql: string): Buffer[] {
  return [parse(sql), bind(), execute(), sync()]
}

type Down = readonly [name: string, messages: Buffer[], faults: object[], tag: string]

/** Each size, protocol and kind of rule at least once; the rest is for long runs. */
const down: readonly Down[] = [
  ['a large row', [query(row)], never, 'SELECT 1'],
  ['large rows that are counted, extended', extended(rows), counting, 'SELECT \\d+'],
  ['many small rows that are counted', extended(small), counting, 'SELECT \\d+'],
  ['COPY TO STDOUT', [query(`COPY (${rows}) TO STDOUT`)], never, 'COPY \\d+'],
]
const moreDown: readonly Down[] = [
  ['a large row, extended', extended(row), never, 'SELECT 1'],
  ['a large row that is counted', [query(row)], counting, 'SELECT 1'],
  ['many small rows', [query(small)], never, 'SELECT \\d+'],
]

describe('down', () => {
  test.each([...down, ...(LONG ? moreDown : [])])(
    '%s',
    async (name, messages, faults, tag) => {
      const port = await proxied(name, faults)
      const { result, aboveIdleBytes } = await watched(() => exchange(port, messages))
      expect(result.end).toMatch(ended(tag))
      expect(result.bytes).toBeGreaterThan(SIZE_BYTES / 4)
      expect(aboveIdleBytes).toBeLessThan(MEMORY_BOUND_BYTES)
    },
    60_000,
  )

  test.each([['count', counting] as const, ...(LONG ? [['never match', never] as const] : [])])(
    'a client that does not read, rules that %s',
    async (name, faults) => {
      const port = await proxied(name, faults)
      const { result, aboveIdleBytes } = await watched(() => exchange(port, [query(row)], untilFull))
      expect(result.end).toMatch(ended('SELECT 1'))
      expect(result.bytes).toBeGreaterThan(SIZE_BYTES)
      expect(aboveIdleBytes).toBeLessThan(MEMORY_BOUND_BYTES)
    },
    60_000,
  )
})

const LINE = Buffer.from(`${'y'.repeat(1023)}\n`)
const LINES = Buffer.concat(Array.from({ length: 64 }, () => LINE))

/** The type and length of a message whose body is so long. */
function header(type: string, bodyBytes: number): Buffer {
  const bytes = Buffer.from(`${type}\0\0\0\0`)
  bytes.writeInt32BE(bodyBytes + 4, 1)
  return bytes
}

function* copied(before: Buffer[], messageBytes: number, after: Buffer[]): Generator<Buffer> {
  yield* before
  for (let sent = 0; sent < SIZE_BYTES; sent += LINES.length) {
    if (sent % messageBytes === 0) yield header('d', Math.min(messageBytes, SIZE_BYTES - sent))
    yield LINES
  }
  yield copyDone()
  yield* after
}

/** One parameter of that size. */
function* large(): Generator<Buffer> {
  yield parse('SELECT length($1::text)')
  // No portal's and no statement's name, no formats, one parameter with its length, no formats of results.
  const before = Buffer.alloc(10)
  before.writeInt16BE(1, 4)
  before.writeInt32BE(SIZE_BYTES, 6)
  yield header('B', before.length + SIZE_BYTES + 2)
  yield before
  for (let sent = 0; sent < SIZE_BYTES; sent += LINES.length) yield LINES
  yield Buffer.alloc(2)
  yield* [execute(), sync()]
}

const COPY = 'COPY lines FROM STDIN'
const copyExtended = [parse(COPY), bind(), execute()]

type Up = readonly [name: string, messages: () => Generator<Buffer>, tag: string]

const up: readonly Up[] = [
  ['COPY FROM STDIN in one message', () => copied([query(COPY)], SIZE_BYTES, []), 'COPY \\d+'],
  ['COPY FROM STDIN, extended', () => copied(copyExtended, LINES.length, [sync()]), 'COPY \\d+'],
  ['a large parameter', large, 'SELECT 1'],
]
const moreUp: readonly Up[] = [['COPY FROM STDIN', () => copied([query(COPY)], LINES.length, []), 'COPY \\d+']]

describe('up', () => {
  test.each([...up, ...(LONG ? moreUp : [])])(
    '%s',
    async (name, messages, tag) => {
      await server().query('TRUNCATE lines')
      const port = await proxied(name, never)
      const { result, aboveIdleBytes } = await watched(() => exchange(port, messages()))
      expect(result.end).toMatch(ended(tag))
      expect(aboveIdleBytes).toBeLessThan(MEMORY_BOUND_BYTES)
    },
    60_000,
  )
})
