// Clients and servers that say more than anybody can keep: what is remembered of it stays within bounds.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { loadSqlParser } from '../../../../proxy/protocols/postgres/sql.ts'
import { IsolatedPostgres } from '../../../support/isolated-postgres.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import { portOf, startProxied, type Proxied } from '../../../support/proxied.ts'
import { RawSocket } from '../../../support/sockets.ts'

const MEGABYTE = 1024 * 1024

const startup = frontend.startup({ user: 'ann', database: 'shop' })
const READY = frontend.message('Z', Buffer.from('I'))
const LET_IN = Buffer.concat([frontend.message('R', Buffer.alloc(4)), READY])
const looking: readonly FaultSpec[] = [
  { type: 'pg_error', name: 'error', attributes: { code: '40001' }, match: { query: 'wanted' } },
]

let proxied: Proxied

afterEach(() => proxied?.[Symbol.asyncDispose]())

beforeAll(loadSqlParser)

async function login(all: Proxied): Promise<{ client: RawSocket; server: RawSocket }> {
  const ends = await all.connect()
  ends.client.write(startup)
  await ends.server.untilBytes(startup.length)
  ends.server.write(LET_IN)
  await ends.client.untilBytes(LET_IN.length)
  return ends
}

async function sayAndHear(): Promise<void> {
  const { client, server } = await login(proxied)
  client.write(frontend.sync())
  await server.untilBytes(startup.length + 5)
  server.write(READY)
  await client.untilBytes(LET_IN.length + READY.length)
  client.reset()
  await server.untilEnded()
}

describe('a client that does not wait for answers', () => {
  test.each([
    ['without a rule', []],
    ['with a rule', looking],
  ])('is not read while 10,000 are outstanding, and is read again when they come: %s', async (_what, faults) => {
    proxied = await startProxied(faults, {}, { protocol: 'postgres' })
    const { client, server } = await login(proxied)
    const count = 100_000
    client.write(Buffer.concat(Array.from({ length: count }, () => frontend.sync())))
    await server.untilBytes(startup.length + 10_000 * 5)

    // Each takes more rounds of the event loop than the rest of those 500,000 bytes would.
    for (let round = 0; round < 5; round++) await sayAndHear()

    // 10,000 of 5 bytes, and what one read of 64 KiB brings beyond.
    expect(server.receivedBytes).toBeLessThanOrEqual(startup.length + 10_000 * 5 + 65_536)

    let answered = 0
    const answer = (): void => {
      const asked = (server.receivedBytes - startup.length) / 5
      server.write(Buffer.concat(Array.from({ length: Math.floor(asked) - answered }, () => READY)))
      answered = Math.floor(asked)
    }
    server.socket.on('data', answer)
    answer()
    await client.untilBytes(LET_IN.length + count * READY.length, 20_000)
    expect(server.receivedBytes).toBe(startup.length + count * 5)
  })

  test('and then speaks nonsense goes on without answers', async () => {
    proxied = await startProxied(looking, {}, { protocol: 'postgres' })
    const { client, server } = await login(proxied)
    const said = Buffer.concat([
      ...Array.from({ length: 9999 }, () => frontend.sync()),
      Buffer.from('Q\0\0\0\0'),
      Buffer.alloc(MEGABYTE),
    ])
    client.write(said)
    await server.untilBytes(startup.length + said.length)
    expect(server.received.subarray(startup.length).equals(said)).toBe(true)
  })
})

describe('what is remembered', () => {
  /** Of 10,000 characters each: 100 MB, well above the bound. */
  const count = 10_000
  const long = 'x'.repeat(10_000)

  test.each<[string, (number: number) => readonly Buffer[]]>([
    ['named statements', (number) => [frontend.parse(`SELECT '${long}'`, `statement ${number}`)]],
    ['named portals', (number) => [frontend.bind([long], '', `portal ${number}`)]],
    ['names without end', (number) => [frontend.parse('', long + number), frontend.bind([], '', long + number)]],
    ['different queries', (number) => [frontend.query(`SELECT '${long}', ${number}`)]],
  ])('of 10,000 %s of 10,000 characters stays below 64 MB', (_what, messages) => {
    const isolated = new IsolatedPostgres(looking)
    isolated.upstream.keeps = false
    isolated.say(startup)
    isolated.settle()
    isolated.downstream.keeps = false
    // Answers are never needed: all that is asked is skipped by the server, as if one of them had failed.
    isolated.session.skipping = true
    const before = usedBytes()
    for (let number = 0; number < count; number++) {
      for (const message of messages(number)) isolated.say(message)
    }
    // All of them take 100 MB. Kept are 8 MB of each kind at most, the SQL of some in the cache of the process, and what
    // belongs to them.
    expect(usedBytes() - before).toBeLessThan(64 * MEGABYTE)
    isolated.session.dispose()
  })

  test('is the latest: a statement of long ago is not known any more, and passes', () => {
    const isolated = new IsolatedPostgres(looking)
    isolated.say(startup)
    isolated.settle()
    for (let number = 0; number < 20_000; number++) isolated.say(frontend.parse('SELECT wanted', `s${number}`))
    isolated.settle()
    const sent = (): string => Buffer.concat(isolated.upstream.written.splice(0)).toString('latin1')
    sent()
    isolated.say(run('s0'))
    expect(sent()).toBe(run('s0').toString('latin1'))
    isolated.settle()
    isolated.say(run('s19999'))
    expect(sent()).toContain('faultline_')
  })
})

describe('startups', () => {
  test('of 9,999 bytes are understood, of more they pass unread', async () => {
    proxied = await startProxied(looking, {}, { protocol: 'postgres' })
    const first = await proxied.connect()
    first.client.write(ofSize(9999))
    await first.server.untilBytes(9999)
    expect(proxied.network.events.entries()).toEqual([])
    const second = await proxied.connect()
    second.client.write(ofSize(10_001))
    await second.server.untilBytes(10_001)
    expect(proxied.network.events.entries().filter(({ type }) => type === 'opaque')).toHaveLength(1)
    expect([first.server.received, second.server.received]).toEqual([ofSize(9999), ofSize(10_001)])
  })

  test('that never come to an end hold less than 10,000 bytes each, and hold nobody up', async () => {
    proxied = await startProxied(looking, {}, { protocol: 'postgres' })
    const { proxy } = proxied
    const half = Buffer.alloc(9998)
    half.writeInt32BE(9999)
    half.writeInt32BE(0x0003_0000, 4)
    const clients = await Promise.all(Array.from({ length: 100 }, () => RawSocket.connect(portOf(proxy))))
    for (const client of clients) client.write(half)
    const heldBytes = (): number => [...proxy.connections].reduce((sum, connection) => sum + connection.heldBytes, 0)
    await expect.poll(heldBytes).toBe(100 * 9998)

    await sayAndHear()

    for (const client of clients) client.reset()
    await expect.poll(() => proxy.connections.size).toBe(0)
    expect(proxied.network.events.entries()).toEqual([])
  })
})

function run(statement: string): Buffer {
  return Buffer.concat([frontend.bind([], statement), frontend.execute(), frontend.sync()])
}

function ofSize(bytes: number): Buffer {
  const without = frontend.startup({ user: 'ann', options: '' }).length
  return frontend.startup({ user: 'ann', options: 'x'.repeat(bytes - without) })
}

/** What is in use after a collection of garbage. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
