// http_delay, and how delays are drawn.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { drawDelayMs, MAX_DELAY_MS, type Delay } from '../../../../proxy/delay.ts'
import { ManualClock } from '../../../../proxy/index.ts'
import { Random } from '../../../../proxy/random.ts'
import { BODY, get, request, startHttp } from '../../../support/http-faults.ts'
import { expectDelay, untilTrue } from '../../../support/stream-faults.ts'

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

const shareAbove = (values: readonly number[], limit: number): number =>
  values.filter((value) => value > limit).length / values.length

describe('the drawing of delays', () => {
  const base: Delay = { delayMs: 100, jitterMs: 0, distribution: 'uniform', sigma: 0.5, shape: 3 }
  const context = { random: new Random('delays') }
  const draws = (delay: Partial<Delay>, count = 20_000): number[] =>
    Array.from({ length: count }, (_, position) => drawDelayMs({ ...base, ...delay }, context, position))

  // The seed is fixed, so the bounds below do not vary from run to run; they are some standard errors wide.

  test('uniform gives every whole number of milliseconds in delay ± jitter alike', () => {
    const counts = new Map<number, number>()
    for (const value of draws({ jitterMs: 5 }, 22_000)) counts.set(value, (counts.get(value) ?? 0) + 1)
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105])
    // 2000 are expected of each, with a standard deviation of 43.
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(200)
  })

  test('normal has the delay as mean and the jitter as standard deviation', () => {
    const values = draws({ distribution: 'normal', jitterMs: 20 })
    expect(Math.abs(mean(values) - 100)).toBeLessThan(0.6)
    const variance = mean(values.map((value) => (value - 100) ** 2))
    expect(Math.abs(Math.sqrt(variance) - 20)).toBeLessThan(0.5)
    // 2.3 % of a normal distribution are above two standard deviations.
    expect(Math.abs(shareAbove(values, 140) - 0.0228)).toBeLessThan(0.005)
  })

  test('lognormal has the delay as median, and a longer tail upwards', () => {
    const values = draws({ distribution: 'lognormal', sigma: 0.5 })
    expect(Math.abs(shareAbove(values, 100) - 0.5)).toBeLessThan(0.015)
    // One standard deviation of the logarithm: 100 × e^0.5.
    expect(Math.abs(shareAbove(values, 164.9) - 0.1587)).toBeLessThan(0.01)
    // As its description says: one in 40 is above 2.7 × the median.
    expect(Math.abs(shareAbove(values, 270) - 1 / 40)).toBeLessThan(0.005)
  })

  test('pareto has the delay as least, and a tail of its shape', () => {
    const values = draws({ distribution: 'pareto', shape: 3 })
    expect(Math.min(...values)).toBe(100)
    expect(Math.abs(shareAbove(values, 200) - 1 / 8)).toBeLessThan(0.01)
    // As its description says: one in 1000 is above 10 × the least.
    expect(Math.abs(shareAbove(values, 1000) - 1 / 1000)).toBeLessThan(0.0008)
  })

  test('is never negative, never above an hour, and in whole milliseconds', () => {
    const wide = [
      ...draws({ delayMs: 10, jitterMs: 100 }),
      ...draws({ delayMs: 10, jitterMs: 100, distribution: 'normal' }),
      ...draws({ distribution: 'lognormal', sigma: 10 }),
      ...draws({ distribution: 'pareto', shape: 0.1 }),
    ]
    expect(wide.every((value) => Number.isInteger(value) && value >= 0 && value <= MAX_DELAY_MS)).toBe(true)
    expect(Math.min(...wide)).toBe(0)
    expect(Math.max(...wide)).toBe(MAX_DELAY_MS)
  })

  test('depends on nothing but the position', () => {
    const delay: Delay = { ...base, distribution: 'normal', jitterMs: 30 }
    const forward = draws(delay, 50)
    const backward = Array.from({ length: 50 }, (_, index) => drawDelayMs(delay, context, 49 - index))
    expect(backward.toReversed()).toEqual(forward)
  })

  test('asks for no generator where nothing is drawn', () => {
    const none = {
      get random(): Random {
        throw new Error('asked for')
      },
    }
    expect(drawDelayMs(base, none, 1)).toBe(100)
    expect(drawDelayMs({ ...base, distribution: 'normal' }, none, 1)).toBe(100)
  })
})

async function delaysDrawn(seed: number): Promise<unknown[]> {
  const attributes = { delayMs: 10, jitterMs: 9, distribution: 'normal' }
  await using proxied = await startHttp([{ type: 'http_delay', attributes }], { seed })
  const client = await proxied.connect()
  for (let index = 0; index < 8; index++) await client.exchange(get('/'))
  return proxied.network.injections.entries().map(({ detail }) => detail['delayMs'])
}

describe('http_delay', () => {
  test('keeps a request from the server until its time has come', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([{ type: 'http_delay', attributes: { delayMs: 1000 } }], { clock })
    const client = await proxied.connect()
    client.send(request('POST', '/slow', { body: 'content' }))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    clock.advance(999)
    expect([clock.pendingTimers, proxied.upstream.lines]).toEqual([1, []])
    clock.advance(1)
    expect((await client.answer()).body).toBe('/slow')
    expect(proxied.upstream.requests[0]?.body).toBe('content')
    expect(proxied.network.injections.entries().map(({ action, detail }) => ({ action, ...detail }))).toEqual([
      { action: 'delay', request: 1, method: 'POST', path: '/slow', delayMs: 1000 },
    ])
  })

  test('keeps an answer from the client, while the server has done its work', async () => {
    const clock = new ManualClock()
    const attributes = { delayMs: 1000, phase: 'response' }
    await using proxied = await startHttp([{ type: 'http_delay', attributes }], { clock })
    const client = await proxied.connect()
    client.send(get('/slow'))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    expect(proxied.upstream.lines).toEqual(['GET /slow'])
    clock.advance(999)
    expect([clock.pendingTimers, client.rest]).toEqual([1, ''])
    clock.advance(1)
    expect((await client.answer()).body).toBe('/slow')
  })

  test('delays pipelined requests one after the other, in order', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([{ type: 'http_delay', attributes: { delayMs: 100 } }], { clock })
    const client = await proxied.connect()
    client.send(get('/1') + get('/2'))
    await untilTrue(() => clock.pendingTimers === 1, 'the first delay')
    clock.advance(100)
    expect((await client.answer()).body).toBe('/1')
    await untilTrue(() => clock.pendingTimers === 1, 'the second delay')
    expect(proxied.upstream.lines).toEqual(['GET /1'])
    clock.advance(100)
    expect((await client.answer()).body).toBe('/2')
  })

  test.each(['request', 'response'])('lets a %s go at once when it is removed', async (phase) => {
    const clock = new ManualClock()
    const spec = { type: 'http_delay', name: 'd', attributes: { delayMs: 60_000, phase } }
    await using proxied = await startHttp([spec], { clock })
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    proxied.proxy.removeFault('d')
    expect((await client.answer()).body).toBe(BODY)
    expect(clock.pendingTimers).toBe(0)
  })

  test('does not hold up other connections', async () => {
    const clock = new ManualClock()
    const attributes = { delayMs: 60_000 }
    await using proxied = await startHttp([{ type: 'http_delay', attributes, match: { path: '/slow' } }], { clock })
    const [slow, quick] = [await proxied.connect(), await proxied.connect()]
    slow.send(get('/slow'))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    expect((await quick.exchange(get('/quick'))).body).toBe('/quick')
    expect(slow.rest).toBe('')
  })

  test('leaves nothing behind when the client goes away meanwhile', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([{ type: 'http_delay', attributes: { delayMs: 60_000 } }], { clock })
    const client = await proxied.connect()
    client.send(get('/'))
    await untilTrue(() => clock.pendingTimers === 1, 'the delay')
    client.raw.reset()
    await untilTrue(() => proxied.proxy.connections.size === 0, 'the end of the connection')
    expect(clock.pendingTimers).toBe(0)
    expect(proxied.upstream.lines).toEqual([])
  })

  test('with 0 ms does nothing, and puts nothing on record', async () => {
    await using proxied = await startHttp([{ type: 'http_delay', attributes: { delayMs: 0 } }])
    const client = await proxied.connect()
    await client.exchange(get('/'))
    expect(proxied.actions()).toEqual([])
  })

  test.each(['request', 'response'])('takes real time with a real client (%s)', async (phase) => {
    await using proxied = await startHttp([{ type: 'http_delay', attributes: { delayMs: 80, phase } }])
    const beganMs = performance.now()
    await (await fetch(proxied.url)).text()
    expectDelay(performance.now() - beganMs, 80)
  })

  test('draws the same delays with the same seed, another for each message', async () => {
    const [first, again, other] = [await delaysDrawn(3), await delaysDrawn(3), await delaysDrawn(4)]
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
    expect(new Set(first).size).toBeGreaterThan(3)
  })
})
