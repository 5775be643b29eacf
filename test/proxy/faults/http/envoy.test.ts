// Envoy's fault headers, obeyed by proxies with headerFaults.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/index.ts'
import { BODY, get, startHttp, type HttpProxiedOptions } from '../../../support/http-faults.ts'
import { expectDelay, untilTrue } from '../../../support/stream-faults.ts'

const start = (options: HttpProxiedOptions = {}) =>
  startHttp([], { ...options, proxyOptions: { headerFaults: true, ...options.proxyOptions } })

const ABORT = 'x-envoy-fault-abort-request'
const DELAY = 'x-envoy-fault-delay-request'
const THROUGHPUT = 'x-envoy-fault-throughput-response'

test('they are nothing but headers where headerFaults is off', async () => {
  await using proxied = await start({ proxyOptions: { headerFaults: false } })
  const client = await proxied.connect()
  expect((await client.exchange(get('/', [`${ABORT}: 503`]))).status).toBe(200)
  expect(proxied.upstream.requests[0]?.head).toContain(ABORT)
})

describe('x-envoy-fault-abort-request', () => {
  test('answers as Envoy does, and only the one who asked', async () => {
    await using proxied = await start()
    const client = await proxied.connect()
    client.send(get('/1', [`${ABORT}: 418`]) + get('/2'))
    expect((await client.answer()).bytes.toString()).toBe(
      "HTTP/1.1 418 I'm a Teapot\r\ncontent-type: text/plain\r\nContent-Length: 18\r\n\r\nfault filter abort",
    )
    expect((await client.answer()).body).toBe('/2')
    expect(proxied.upstream.lines).toEqual(['GET /2'])
    expect(proxied.network.injections.entries().map(({ type, action }) => [type, action])).toEqual([
      ['envoy_abort', 'answer'],
    ])
  })

  test.each(['199', '600', '99', '0', '-503', '5e2', '0x1f7', '503.5', 'yes', '', '503 x', '18446744073709551616'])(
    'is ignored if it is "%s"',
    async (value) => {
      await using proxied = await start()
      const client = await proxied.connect()
      expect((await client.exchange(get('/', [`${ABORT}: ${value}`]))).body).toBe('/')
    },
  )

  test.each([
    [[`${ABORT}: 200`], 200],
    [[`${ABORT}: 599`], 599],
    [[`${ABORT}: +503`], 503],
    [[`${ABORT}:  503  `], 503],
    // Only the first counts.
    [[`${ABORT}: 501`, `${ABORT}: 502`], 501],
  ])('%j is %i', async (headers, status) => {
    await using proxied = await start()
    const client = await proxied.connect()
    expect((await client.exchange(get('/', headers))).status).toBe(status)
    expect(proxied.upstream.lines).toEqual([])
  })

  test.each([
    ['0', 0],
    ['100', 40],
    ['250', 40],
    // What is no number leaves what is configured: 100 %.
    ['-1', 40],
    ['half', 40],
    ['4294967296', 40],
  ])('with a percentage of %s acts on %i of 40', async (percentage, expected) => {
    expect(await aborted(percentage, 1)).toHaveLength(expected)
  })

  test('with a percentage of 50 acts on about half, the same with the same seed', async () => {
    const first = await aborted('50', 5)
    expect(first.length).toBeGreaterThan(10)
    expect(first.length).toBeLessThan(30)
    expect(await aborted('50', 5)).toEqual(first)
    expect(await aborted('50', 6)).not.toEqual(first)
  })

  /** Which of 40 requests are. */
  async function aborted(percentage: string, seed: number): Promise<number[]> {
    await using proxied = await start({ seed })
    const client = await proxied.connect()
    const numbers: number[] = []
    for (let number = 0; number < 40; number++) {
      const answer = await client.exchange(get('/', [`${ABORT}: 503`, `${ABORT}-percentage: ${percentage}`]))
      if (answer.status === 503) numbers.push(number)
    }
    return numbers
  }
})

describe('x-envoy-fault-delay-request', () => {
  test('delays the request by so many milliseconds', async () => {
    const clock = new ManualClock()
    await using proxied = await start({ clock })
    const client = await proxied.connect()
    client.send(get('/', [`${DELAY}: 1500`]))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    clock.advance(1499)
    expect([clock.pendingTimers, proxied.upstream.lines]).toEqual([1, []])
    clock.advance(1)
    expect((await client.answer()).body).toBe('/')
  })

  test('comes before an abort', async () => {
    const clock = new ManualClock()
    await using proxied = await start({ clock })
    const client = await proxied.connect()
    client.send(get('/', [`${ABORT}: 503`, `${DELAY}: 100`]))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    clock.advance(100)
    expect((await client.answer()).status).toBe(503)
    expect(proxied.actions()).toEqual(['delay', 'answer'])
  })

  test.each([
    [`${DELAY}: 0`],
    [`${DELAY}: -5`],
    [`${DELAY}: soon`],
    [`${DELAY}: 99999999999999999999`],
    [`${DELAY}: 5`, `${DELAY}-percentage: 0`],
  ])('%s is no delay', async (...headers) => {
    await using proxied = await start()
    const client = await proxied.connect()
    await client.exchange(get('/', headers))
    expect(proxied.actions()).toEqual([])
  })

  test('is at most an hour', async () => {
    await using proxied = await start({ clock: new ManualClock() })
    const client = await proxied.connect()
    client.send(get('/', [`${DELAY}: 18446744073709551615`]))
    await untilTrue(() => proxied.actions().length === 1, 'the delay')
    expect(proxied.network.injections.entries()[0]?.detail['delayMs']).toBe(3_600_000)
  })

  test('takes real time with a real client', async () => {
    await using proxied = await start()
    const beganMs = performance.now()
    await (await fetch(proxied.url, { headers: { [DELAY]: '60' } })).text()
    expectDelay(performance.now() - beganMs, 60)
  })
})

describe('x-envoy-fault-throughput-response', () => {
  test('limits the body of the answer to so many KiB a second', async () => {
    const clock = new ManualClock()
    await using proxied = await start({ clock })
    const client = await proxied.connect()
    client.send(get('/length', [`${THROUGHPUT}: 1`]))
    await untilTrue(() => clock.pendingTimers === 1, 'the first piece')
    // 179 bytes at 1024 a second are there after 174.8 ms.
    clock.advance(170)
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`
    await client.raw.untilBytes(head.length + 160)
    expect(client.raw.receivedBytes).toBeLessThan(head.length + BODY.length)
    clock.advance(5)
    expect((await client.answer()).body).toBe(BODY)
    expect(proxied.actions()).toEqual(['throttle'])
  })

  test.each([[`${THROUGHPUT}: 0`], [`${THROUGHPUT}: fast`], [`${THROUGHPUT}: 1`, `${THROUGHPUT}-percentage: 0`]])(
    '%s is no limit',
    async (...headers) => {
      await using proxied = await start()
      const client = await proxied.connect()
      expect((await client.exchange(get('/length', headers))).body).toBe(BODY)
      expect(proxied.actions()).toEqual([])
    },
  )
})
