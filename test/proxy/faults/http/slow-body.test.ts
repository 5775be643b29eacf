// http_slow_body: bodies that trickle, at a rate or in pieces.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ManualClock, type FaultSpec } from '../../../../proxy/index.ts'
import { answer, BODY, framings, get, request, startHttp, type HttpClient } from '../../../support/http-faults.ts'
import { expectDelay, heldBytes, observe, untilTrue } from '../../../support/stream-faults.ts'

const slow = (attributes: Record<string, unknown>): FaultSpec => ({ type: 'http_slow_body', name: 'slow', attributes })

/** The content that has come so far, with chunk sizes and line ends taken out. */
function content(client: HttpClient, framing: string): string {
  const body = client.rest.replace(/^.*?\r\n\r\n/s, '')
  return framing === 'chunked' ? body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '') : body
}

/** The first part of an answer that ends with the connection. */
const beginStream = () => ({ ...answer('x'.repeat(100), { framing: 'close' }), close: false })

describe('at a rate', () => {
  test.each(framings)('bytes come as the rate says (%s)', async (framing) => {
    const clock = new ManualClock()
    await using proxied = await startHttp([slow({ rateBytesPerSecond: 1000 })], { clock })
    const client = await proxied.connect()
    client.send(get(`/${framing}`))
    // The head is not slowed down.
    await client.raw.until(() => client.rest.includes('\r\n\r\n'), 'the head')
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    for (let ms = 20; ms < BODY.length; ms += 20) {
      clock.advance(20)
      const due = BODY.slice(0, ms)
      await client.raw.until(() => content(client, framing).length >= ms, `${ms} bytes`)
      expect(content(client, framing)).toBe(due)
    }
    clock.advance(20)
    if (framing === 'close') expect(await client.raw.untilEnded()).toBe('FIN')
    expect((await client.answer()).body).toBe(BODY)
    expect(proxied.actions()).toEqual(['throttle'])
  })

  test('a real client sees it in real time', async () => {
    await using proxied = await startHttp([slow({ rateBytesPerSecond: 2000 })])
    const beganMs = performance.now()
    const response = await fetch(`${proxied.url}/length`)
    const headMs = performance.now() - beganMs
    expect(await response.text()).toBe(BODY)
    // 179 bytes at 2000 a second.
    expectDelay(performance.now() - beganMs, 89)
    expect(headMs).toBeLessThan(89)
  })

  test('a large body is held in bounds, and its server feels it', async () => {
    const large = 'x'.repeat(8 * 1024 * 1024)
    await using proxied = await startHttp([slow({ rateBytesPerSecond: 1000 })], { respond: () => answer(large) })
    const client = await proxied.connect()
    client.send(get('/'))
    await untilTrue(() => heldBytes(proxied.proxy) >= 65_536, 'as much as is held')
    const server = proxied.upstream.sockets[0]?.socket
    // What the proxy has not read stays with the server, beyond what the kernels' buffers take.
    await untilTrue(() => (server?.writableLength ?? 0) > 0, "the server's write queue")
    // Long enough to take in all of it, if nothing held the server back.
    await observe(100)
    expect(server?.writableLength).toBeGreaterThan(0)
    expect(heldBytes(proxied.proxy)).toBeLessThan(65_536 + 262_144 + 1024)
    proxied.network.heal()
    expect((await client.answer()).body.length).toBe(large.length)
  })

  test('it takes hold of an answer that is on its way', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([], { clock, respond: beginStream })
    const client = await proxied.connect()
    client.send(get('/stream'))
    await client.raw.until(() => client.rest.endsWith('x'.repeat(100)), 'the first part')
    proxied.proxy.addFault(slow({ rateBytesPerSecond: 1000 }))
    proxied.upstream.sockets[0]?.write('y'.repeat(100))
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    clock.advance(40)
    await client.raw.until(() => client.rest.endsWith('xyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'), '40 bytes')
    proxied.proxy.removeFault('slow')
    await client.raw.until(() => client.rest.endsWith('y'.repeat(100)), 'the rest')
  })
})

describe('in pieces', () => {
  test('each of them comes in its turn, the last at the end of the duration', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([slow({ chunks: 5, durationMs: 1000 })], { clock })
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    // 179 bytes by 5.
    for (const due of [36, 72, 108, 144]) {
      clock.advance(199)
      expect(content(client, 'length').length).toBeLessThan(due)
      clock.advance(1)
      await client.raw.until(() => content(client, 'length').length >= due, `${due} bytes`)
      expect(content(client, 'length')).toBe(BODY.slice(0, due))
    }
    clock.advance(200)
    expect((await client.answer()).body).toBe(BODY)
    expect(proxied.network.injections.entries().map(({ detail }) => [detail['pieces'], detail['durationMs']])).toEqual([
      [5, 1000],
    ])
  })

  test('without Content-Length the first bytes are divided, and the rest goes no later', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([slow({ chunks: 3, durationMs: 300 })], { clock })
    const client = await proxied.connect()
    client.send(get('/chunked'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    // The first chunk has 60 bytes of the 179.
    for (const due of [20, 40]) {
      clock.advance(100)
      await client.raw.until(() => content(client, 'chunked').length >= due, `${due} bytes`)
      expect(content(client, 'chunked')).toBe(BODY.slice(0, due))
    }
    clock.advance(100)
    expect((await client.answer()).body).toBe(BODY)
  })

  test('there are no more pieces than bytes', async () => {
    await using proxied = await startHttp([slow({ chunks: 1000, durationMs: 20 })])
    const client = await proxied.connect()
    expect((await client.exchange(get('/ab'))).body).toBe('/ab')
    expect(proxied.network.injections.entries()[0]?.detail['pieces']).toBe(3)
  })
})

describe('an upload', () => {
  const body = 'u'.repeat(100)

  test.each([{ rateBytesPerSecond: 1000 }, { chunks: 10, durationMs: 100 }])('can be slow: %j', async (attributes) => {
    const clock = new ManualClock()
    await using proxied = await startHttp([slow({ phase: 'request', ...attributes })], { clock })
    const client = await proxied.connect()
    const text = request('POST', '/upload', { body })
    client.send(text)
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    clock.advance(60)
    const server = proxied.upstream.sockets[0]
    const bytes = text.length - 40
    await server?.untilBytes(bytes)
    expect(server?.receivedBytes).toBe(bytes)
    clock.advance(40)
    expect((await client.answer()).body).toBe('/upload')
    expect(proxied.upstream.requests[0]?.body).toBe(body)
  })

  test('with a chunked body stays chunked', async () => {
    await using proxied = await startHttp([slow({ phase: 'request', rateBytesPerSecond: 5000 })])
    const client = await proxied.connect()
    const head = 'POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n'
    client.send(`${head}64\r\n${body}\r\n0\r\n\r\n${get('/behind')}`)
    expect((await client.answer()).body).toBe('/upload')
    expect((await client.answer()).body).toBe('/behind')
    expect(proxied.upstream.requests[0]?.body).toBe(body)
  })
})

test.each([{ rateBytesPerSecond: 1 }, { chunks: 5, durationMs: 60_000 }])(
  'removed, it lets the rest go at once: %j',
  async (attributes) => {
    const clock = new ManualClock()
    await using proxied = await startHttp([slow(attributes)], { clock })
    const client = await proxied.connect()
    client.send(get('/chunked') + get('/behind'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    proxied.proxy.removeFault('slow')
    expect((await client.answer()).body).toBe(BODY)
    expect((await client.answer()).body).toBe('/behind')
    expect([clock.pendingTimers, heldBytes(proxied.proxy)]).toEqual([0, 0])
  },
)

test('a client that goes away meanwhile leaves nothing behind', async () => {
  const clock = new ManualClock()
  await using proxied = await startHttp([slow({ rateBytesPerSecond: 1 })], { clock })
  const client = await proxied.connect()
  client.send(get('/length'))
  await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
  client.raw.reset()
  await untilTrue(() => proxied.proxy.connections.size === 0, 'the end of the connection')
  expect(clock.pendingTimers).toBe(0)
})
