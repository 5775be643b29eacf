// http_slow_headers: a head that comes byte by byte.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/index.ts'
import { answer, BODY, framings, get, request, startHttp } from '../../../support/http-faults.ts'
import { expectDelay, untilTrue } from '../../../support/stream-faults.ts'

describe('http_slow_headers', () => {
  test.each(framings)('sends a byte of the answer for each delay, then the body at once (%s)', async (framing) => {
    const clock = new ManualClock()
    await using proxied = await startHttp([{ type: 'http_slow_headers', attributes: { delayMs: 10 } }], { clock })
    const client = await proxied.connect()
    client.send(get(`/${framing}`))
    const whole = answer(BODY, { framing }).bytes
    const headBytes = whole.indexOf('\r\n\r\n') + 4
    await untilTrue(() => clock.pendingTimers === 1, 'the first delay')
    for (let bytes = 1; bytes < headBytes; bytes++) {
      clock.advance(10)
      await client.raw.untilBytes(bytes)
      expect(client.raw.receivedBytes).toBe(bytes)
    }
    clock.advance(10)
    await client.raw.untilBytes(whole.length)
    expect(client.raw.received.equals(whole)).toBe(true)
    expect(proxied.network.injections.entries().map(({ detail }) => [detail['pieces'], detail['durationMs']])).toEqual([
      [headBytes, headBytes * 10],
    ])
  })

  test('sends the whole head in the duration, the last byte at its end', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([{ type: 'http_slow_headers', attributes: { durationMs: 1000 } }], { clock })
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first delay')
    clock.advance(500)
    // 40 bytes: the twentieth is due at 500 ms.
    await client.raw.untilBytes(20)
    clock.advance(499)
    await client.raw.untilBytes(39)
    expect(client.raw.receivedBytes).toBe(39)
    clock.advance(1)
    expect((await client.answer()).body).toBe(BODY)
  })

  test('sends a request to the server byte by byte, each in a packet of its own', async () => {
    const attributes = { phase: 'request', delayMs: 2 }
    await using proxied = await startHttp([{ type: 'http_slow_headers', attributes }])
    const client = await proxied.connect()
    const text = request('POST', '/slow', { body: 'content' })
    expect((await client.exchange(text)).body).toBe('/slow')
    const [seen] = proxied.upstream.requests
    expect([seen?.head, seen?.body]).toEqual([text.slice(0, -7), 'content'])
    // A busy machine may join some, but a head in one piece would be one arrival.
    expect(proxied.upstream.sockets[0]?.arrivals.length).toBeGreaterThan(20)
  })

  test.each(['request', 'response'])('lets the rest go at once when it is removed (%s)', async (phase) => {
    const clock = new ManualClock()
    const spec = { type: 'http_slow_headers', name: 's', attributes: { delayMs: 1000, phase } }
    await using proxied = await startHttp([spec], { clock })
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first delay')
    clock.advance(3000)
    const receiver = phase === 'response' ? client.raw : proxied.upstream.sockets[0]
    await receiver?.untilBytes(3)
    proxied.proxy.removeFault('s')
    expect((await client.answer()).bytes).toEqual(answer(BODY).bytes)
    expect(clock.pendingTimers).toBe(0)
  })

  test('takes its time with a real client', async () => {
    await using proxied = await startHttp([{ type: 'http_slow_headers', attributes: { durationMs: 80 } }])
    const beganMs = performance.now()
    const response = await fetch(proxied.url)
    expectDelay(performance.now() - beganMs, 80)
    expect(await response.text()).toBe('/')
  })
})
