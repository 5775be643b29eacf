// The feed: one sequence over everything that happens, as a list, as server-sent events, over a WebSocket.
import { WebSocket } from 'ws'
import { describe, expect, test } from 'vitest'
import { HEARTBEAT_MS, MAX_READERS } from '../../admin/feed/feed.ts'
import { buildAdminApp } from '../../admin/server.ts'
import { ManualClock, Network } from '../../proxy/index.ts'
import { serveFeed, untilReaders } from '../support/feed.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

const types = (events: readonly { type: string }[]): string[] => events.map(({ type }) => type)

function inject(network: Network, count: number, text = 'x'): void {
  for (let i = 0; i < count; i++) {
    network.injections.append({
      timeMs: i,
      proxy: i % 2 === 0 ? 'even' : 'odd',
      connection: 1,
      direction: 'upstream',
      fault: 'f',
      type: 'noop',
      action: text,
      detail: { number: i },
    })
  }
}

function open(network: Network, connection: number): void {
  network.connectionEvents.append({ timeMs: 1, type: 'connection_opened', proxy: 'even', connection, detail: {} })
}

describe('as a list', () => {
  test('has injections, changes and events under one sequence, connections only if asked for', async () => {
    await using served = await serveFeed()
    const { network } = served
    network.leases.create({ ttlMs: 60_000 })
    inject(network, 1)
    open(network, 7)
    network.stop()
    const { total, events } = await served.get('/v1/events')
    expect(total).toBe(4)
    expect(new Set(types(events))).toEqual(new Set(['lease_created', 'injection', 'stopped']))
    const sequences = events.map(({ sequence }: { sequence: number }) => sequence)
    expect(sequences).toEqual(sequences.toSorted((one: number, other: number) => one - other))
    expect(events.find(({ type }: { type: string }) => type === 'injection')).toMatchObject({
      proxy: 'even',
      connection: 1,
      direction: 'upstream',
      fault: 'f',
      faultType: 'noop',
      action: 'x',
      detail: { number: 0 },
    })
    const asked = await served.get('/v1/events?types=connection_opened,stopped')
    expect(types(asked.events).toSorted()).toEqual(['connection_opened', 'stopped'])
  })

  test('also of the time before the server', async () => {
    await using network = new Network()
    network.stop()
    network.resume()
    open(network, 1)
    const app = await buildAdminApp(network)
    network.stop()
    const { total, events } = (await app.inject('/v1/events')).json()
    expect([total, types(events)]).toEqual([4, ['stopped', 'resumed', 'stopped']])
    await app.close()
  })

  test('is filtered, resumed and limited to the latest', async () => {
    await using served = await serveFeed()
    inject(served.network, 10)
    const numbers = async (query: string): Promise<number[]> =>
      (await served.get(`/v1/events?${query}`)).events.map((event: any) => event.detail.number)
    expect(await numbers('proxy=odd')).toEqual([1, 3, 5, 7, 9])
    expect(await numbers('proxy=odd&since=6')).toEqual([7, 9])
    expect(await numbers('limit=2')).toEqual([8, 9])
    expect(await numbers('types=stopped')).toEqual([])
  })

  test.each([
    ['types=injektion', 'types', 'did you mean "injection"?'],
    ['types=', 'types', 'unknown type'],
    ['since=-1', 'since', 'an integer ≥ 0'],
    ['typs=injection', 'typs', 'did you mean "types"?'],
    ['types=stopped&types=resumed', 'types', 'a string'],
  ])('%s is refused', async (query, field, message) => {
    await using served = await serveFeed()
    const problem = await served.get(`/v1/events?${query}`)
    expect(problem).toMatchObject({ status: 400, field })
    expect(problem.detail).toContain(message)
  })

  test('a flood of one kind does not make it forget the others', async () => {
    await using served = await serveFeed()
    served.network.stop()
    for (let i = 1; i <= 12_000; i++) open(served.network, i)
    expect(types((await served.get('/v1/events')).events)).toEqual(['stopped'])
    const { events } = await served.get('/v1/events?types=connection_opened&limit=100000')
    expect(events).toHaveLength(10_000)
  })
})

describe('as server-sent events', () => {
  test('begins with what happens from now on', async () => {
    await using served = await serveFeed()
    inject(served.network, 5)
    const reader = await served.events()
    expect(reader.head).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(reader.head).toMatch(/content-type: text\/event-stream/i)
    served.network.stop()
    const [event] = await reader.until(1)
    expect(event).toMatchObject({ sequence: 6, type: 'stopped' })
    expect(reader.text).toContain('id: 6\nevent: stopped\ndata: {"sequence":6,')
    reader.close()
    await untilReaders(served, 0)
  })

  test('goes on after the id that a reader has, or after since', async () => {
    await using served = await serveFeed()
    inject(served.network, 500)
    const byHeader = await served.events('/v1/events?since=3', { 'last-event-id': '498' })
    expect((await byHeader.until(2)).map(({ sequence }) => sequence)).toEqual([499, 500])
    const bySince = await served.events('/v1/events?since=0&proxy=odd')
    expect((await bySince.until(250)).map(({ sequence }) => sequence).slice(0, 3)).toEqual([2, 4, 6])
    byHeader.close()
    bySince.close()
  })

  test('says first how much has been forgotten in between', async () => {
    await using served = await serveFeed()
    inject(served.network, 10_050)
    const reader = await served.events('/v1/events?types=injection', { 'last-event-id': '20' })
    const [gap, first] = await reader.until(2)
    expect(gap).toMatchObject({ sequence: 20, type: 'gap', detail: { since: 20, missed: 30 } })
    expect(first.sequence).toBe(51)
    const changes = await served.events('/v1/events?types=stopped', { 'last-event-id': '20' })
    served.network.stop()
    expect(types(await changes.until(1))).toEqual(['stopped']) // nothing of these is missing
    reader.close()
    changes.close()
  })

  test('an id of a server before this one gets all that was since this one began', async () => {
    await using served = await serveFeed()
    inject(served.network, 2)
    const reader = await served.events('/v1/events', { 'last-event-id': '5000' })
    const events = await reader.until(3)
    expect(events.map(({ sequence, type }) => `${sequence} ${type}`)).toEqual(['0 gap', '1 injection', '2 injection'])
    expect(events[0].detail).toEqual({ since: 5000, missed: 0 })
    reader.close()
  })

  test.each([
    ['/v1/events?types=nope', {}, 400, 'types'],
    ['/v1/events', { 'last-event-id': 'x' }, 400, 'last-event-id'],
    ['/v1/events?limit=5', {}, 400, 'limit'],
  ])('%s %j is refused with a problem', async (path, headers, status, field) => {
    await using served = await serveFeed()
    const answer = await fetch(served.url + path, { headers: { accept: 'text/event-stream', ...headers } })
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(await answer.json()).toMatchObject({ status, field })
  })

  test('a comment every 15 s shows that the connection stands', async () => {
    const clock = new ManualClock()
    await using served = await serveFeed({ clock })
    const reader = await served.events()
    await reader.raw.until(() => reader.text.includes('retry: '), 'the first bytes')
    clock.advance(HEARTBEAT_MS - 1)
    served.network.stop()
    await reader.until(1)
    expect(reader.text).not.toContain('\n:\n')
    clock.advance(1)
    await reader.raw.until(() => reader.text.endsWith('\n\n:\n\n'), 'a comment')
    reader.close()
    await untilReaders(served, 0)
    expect(clock.pendingTimers).toBe(0)
  })

  test('ends with the server, which says so', async () => {
    await using served = await serveFeed()
    const reader = await served.events()
    const closed = served.close()
    expect(await reader.until(1)).toMatchObject([{ type: 'end', detail: { reason: 'the server is stopping' } }])
    expect(await reader.raw.untilEnded()).toBe('FIN')
    await closed
  })
})

describe('over a WebSocket', () => {
  test('has the same entries, filters and resumption', async () => {
    await using served = await serveFeed()
    inject(served.network, 10)
    const reader = await served.socket('/v1/events?proxy=odd&since=5')
    expect((await reader.until(3)).map(({ sequence }) => sequence)).toEqual([6, 8, 10])
    const resumed = await served.socket('/v1/events?types=stopped', { 'last-event-id': '10' })
    served.network.stop()
    expect(await resumed.until(1)).toMatchObject([{ sequence: 11, type: 'stopped' }])
    reader.close()
    resumed.close()
    await untilReaders(served, 0)
  })

  test('is refused before it is one', async () => {
    await using served = await serveFeed()
    const socket = new WebSocket(`${served.url.replace('http', 'ws')}/v1/events?types=nope`)
    const status = await new Promise((resolve) => {
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode))
    })
    expect(status).toBe(400)
  })

  test('pings, and ends the one that does not answer', async () => {
    const clock = new ManualClock()
    await using served = await serveFeed({ clock })
    const reader = await served.socket()
    const pinged = new Promise((resolve) => reader.socket.once('ping', resolve))
    clock.advance(HEARTBEAT_MS)
    await pinged
    reader.socket.pause()
    await untilReaders(served, 1)
    clock.advance(HEARTBEAT_MS) // answered the first one, does not read the second
    clock.advance(HEARTBEAT_MS)
    reader.socket.resume()
    expect(await reader.closed).toEqual({ code: 1008, reason: 'no answer to a ping: nothing was read for too long' })
  })

  test('closes with the server, going away', async () => {
    await using served = await serveFeed()
    const reader = await served.socket()
    await Promise.all([served.close(), reader.closed])
    expect(await reader.closed).toEqual({ code: 1001, reason: 'the server is stopping' })
  })

  test('large frames of a client are refused', async () => {
    await using served = await serveFeed()
    const reader = await served.socket()
    reader.socket.send('x'.repeat(5000))
    expect((await reader.closed).code).toBe(1009)
  })
})

describe('a reader that is slow', () => {
  /** Far more than sockets hold on the way: 30,000 entries of 1 KB, 30 MB. */
  const FLOOD_ENTRIES = 30_000
  const FLOOD_TEXT = 'x'.repeat(1000)

  /** In turns with less than is sent at a time: who does not mind whether it is read would get all of it. */
  async function flood(network: Network): Promise<void> {
    for (let i = 0; i < FLOOD_ENTRIES; i += 50) {
      inject(network, 50, FLOOD_TEXT)
      await new Promise(setImmediate)
    }
  }

  test('costs no memory, and learns what it has missed', async () => {
    await using served = await serveFeed()
    const reader = await served.events()
    reader.raw.socket.pause()
    await flood(served.network)
    served.network.stop()
    const ended = reader.untilText('event: stopped')
    reader.raw.socket.resume()
    await ended
    expectGaps(reader.events)
    reader.close()
  })

  test('over a WebSocket, too', async () => {
    await using served = await serveFeed()
    const reader = await served.socket()
    reader.socket.pause()
    await flood(served.network)
    served.network.stop()
    reader.socket.resume()
    while (reader.events.at(-1)?.type !== 'stopped') await reader.until(reader.events.length + 1)
    expectGaps(reader.events)
    reader.close()
  })

  /** What was neither read nor kept by the feed (10,000 entries) was kept by nobody, and is accounted for. */
  function expectGaps(events: readonly any[]): void {
    const gaps = events.filter(({ type }) => type === 'gap')
    expect(gaps.length).toBeGreaterThan(0)
    const missed = gaps.reduce((sum, { detail }) => sum + detail.missed, 0)
    expect(events.length - gaps.length + missed).toBe(FLOOD_ENTRIES + 1)
  }

  test('and reads nothing at all is cut, and told why if it wakes up in time', async () => {
    const clock = new ManualClock()
    await using served = await serveFeed({ clock })
    const reader = await served.events()
    reader.raw.socket.pause()
    await flood(served.network)
    clock.advance(HEARTBEAT_MS)
    clock.advance(HEARTBEAT_MS)
    const ended = reader.untilText('event: end')
    reader.raw.socket.resume()
    await ended
    await reader.raw.until(() => reader.raw.text.endsWith('\r\n0\r\n\r\n'), 'the end of the body')
    expect(reader.events.at(-1)).toMatchObject({ type: 'end', detail: { reason: 'nothing was read for too long' } })
    await untilReaders(served, 0)
    reader.close()
  })

  test('or does not wake up, is gone after a deadline', async () => {
    const clock = new ManualClock()
    await using served = await serveFeed({ clock })
    const reader = await served.events()
    reader.raw.socket.pause()
    await flood(served.network)
    clock.advance(HEARTBEAT_MS)
    clock.advance(HEARTBEAT_MS)
    clock.advance(5000)
    await untilReaders(served, 0)
    reader.close()
  })

  test('does not slow the proxies', async () => {
    await using served = await serveFeed()
    await using upstream = await RawServer.echo()
    const proxy = await served.network.createProxy({ name: 'p', upstream: upstream.address })
    const readers = await Promise.all([1, 2, 3, 4].map(() => served.events()))
    for (const { raw } of readers) raw.socket.pause()
    inject(served.network, FLOOD_ENTRIES, FLOOD_TEXT)
    const client = await RawSocket.connect(proxy.port!)
    const beganMs = performance.now()
    for (let round = 1; round <= 200; round++) {
      client.write('x')
      await client.untilBytes(round)
    }
    // A round trip takes 0.2 ms; were the readers waited for, none would come back at all.
    expect((performance.now() - beganMs) / 200).toBeLessThan(10)
    client.destroy()
    for (const reader of readers) reader.close()
  })
})

test('there are only so many streams; the one too many is told', async () => {
  await using served = await serveFeed()
  const readers = await Promise.all(Array.from({ length: MAX_READERS }, () => served.events()))
  const answer = await fetch(`${served.url}/v1/events`, { headers: { accept: 'text/event-stream' } })
  expect(await answer.json()).toMatchObject({ status: 503, code: 'too_many_streams' })
  expect((await served.get('/v1/events')).events).toEqual([]) // lists are none
  readers[0]!.close()
  await untilReaders(served, MAX_READERS - 1)
  const another = await served.events()
  expect(another.head).toContain('200 OK')
  for (const reader of [...readers, another]) reader.close()
})

test('a stream needs the token as all else does', async () => {
  await using served = await serveFeed({}, { token: 'secret' })
  const headers = { accept: 'text/event-stream' }
  expect((await fetch(`${served.url}/v1/events`, { headers })).status).toBe(401)
  // A raw socket: it is the server that must close the connection.
  const socket = await RawSocket.connect(Number(new URL(served.url).port))
  socket.write(upgradeOf('GET /v1/events', 'websocket'))
  expect(await socket.untilEnded()).toBe('FIN')
  expect(socket.text).toMatch(/^HTTP\/1\.1 401 /)
})

test.each([
  ['POST /v1/leases', 'h2c'],
  ['POST /v1/leases', 'websocket'],
])('%s that offers an upgrade to %s is an ordinary request', async (line, protocol) => {
  await using served = await serveFeed()
  const socket = await RawSocket.connect(Number(new URL(served.url).port))
  const body = '{"ttlMs":1000}'
  const fields = `content-type: application/json\r\ncontent-length: ${body.length}\r\n`
  socket.write(upgradeOf(line, protocol, fields))
  socket.write(body)
  await socket.until(() => socket.text.includes('"holds":0'), 'the answer')
  expect(socket.text).toMatch(/^HTTP\/1\.1 201 /)
  socket.destroy()
})

function upgradeOf(line: string, protocol: string, more = ''): string {
  const key = 'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  return `${line} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: ${protocol}\r\n${key}${more}\r\n`
}
