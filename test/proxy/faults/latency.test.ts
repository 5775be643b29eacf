// Latency on the wire, both ways, and on the fake clock where it must hold to the millisecond.
import { setInterval as every } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ManualClock, type Direction } from '../../../proxy/index.ts'
import { IsolatedStage } from '../../support/isolated-stage.ts'
import { startProxied } from '../../support/proxied.ts'
import type { RawSocket } from '../../support/sockets.ts'
import {
  acts,
  addUnchecked,
  connectEnds,
  CountingClock,
  directions,
  expectDelay,
  expectPattern,
  expectStandstill,
  Flow,
  heldBytes,
  LagWatch,
  observe,
  pattern,
  SLACK_MS,
  testProbability,
  untilInjection,
  untilTrue,
} from '../../support/stream-faults.ts'

describe.each(directions)('latency, %s', (direction) => {
  const slow = (latency: number, jitter = 0) => ({ type: 'latency', direction, attributes: { latency, jitter } })

  test.concurrent('delays bytes, and records the delay', async () => {
    await using proxied = await startProxied([slow(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.write('ping')
    await receiver.untilBytes(4)
    expectDelay(performance.now() - sentMs, 100)
    expect(receiver.text).toBe('ping')
    expect(acts(proxied.network)).toEqual([{ action: 'delay', detail: { delayMs: 100, offset: 0 } }])
  })

  test.concurrent('leaves the other direction alone', async () => {
    await using proxied = await startProxied([slow(10_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.end('pong')
    // Within the 5 seconds that the wait allows: half of what the fault would take.
    expect(await sender.untilEnded()).toBe('FIN')
    expect(sender.text).toBe('pong')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('delays each message from its own arrival, not from the one before', async () => {
    await using proxied = await startProxied([slow(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs: number[] = []
    for await (const _ of every(20)) {
      sentMs.push(performance.now())
      sender.write('m')
      if (sentMs.length === 10) break
    }
    await receiver.untilBytes(10)
    const delaysMs = arrivalTimes(receiver).map((atMs, index) => atMs - (sentMs[index] ?? NaN))
    // Added up, the tenth would come 1000 ms after it was sent.
    for (const delayMs of delaysMs) expectDelay(delayMs, 100)
  })

  test.concurrent('delays FIN as it delays bytes', async () => {
    await using proxied = await startProxied([slow(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - sentMs, 100)
    expect(sender.ending).toBe('open')
  })

  test.concurrent('delays RST as it delays bytes', async () => {
    await using proxied = await startProxied([slow(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expectDelay(performance.now() - sentMs, 100)
  })

  test.concurrent('delays question or answer of a half-closed connection, and loses neither', async () => {
    await using proxied = await startProxied([slow(300)])
    const { client, server } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    client.end('question')
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe('question')
    server.end('answer')
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toBe('answer')
    // One of the two ways has the fault; both would take 600 ms.
    expectDelay(performance.now() - sentMs, 300)
  })

  test('does not limit throughput', async () => {
    await using proxied = await startProxied([slow(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    using lag = new LagWatch()
    sender.end(pattern(0, 20_000_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    const elapsedMs = performance.now() - sentMs
    expectPattern(receiver, 20_000_000)
    expect(elapsedMs).toBeGreaterThanOrEqual(99)
    // One 64 KiB chunk every 100 ms would take 30 s, and a queue of 1 MiB a round 2 s.
    expect(elapsedMs).toBeLessThan(1500)
    expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
  })

  test('spreads delays evenly over latency ± jitter', async () => {
    await using proxied = await startProxied([slow(12, 8)])
    // Four connections side by side, 50 round trips each.
    const timesMs = (await Promise.all(Array.from({ length: 4 }, () => roundTrips(proxied, direction, 50)))).flat()
    expect(timesMs).toHaveLength(200)
    // Never outside the range …
    expect(Math.min(...timesMs)).toBeGreaterThanOrEqual(4 - 1)
    expect(Math.max(...timesMs)).toBeLessThan(20 + SLACK_MS)
    // … which is covered: the fastest and the slowest tenth lie at its ends, by 2 ms and what a trip itself takes.
    const sorted = timesMs.toSorted((a, b) => a - b)
    expect(sorted[19]).toBeLessThan(4 + 2 + 4)
    expect(sorted[180]).toBeGreaterThanOrEqual(20 - 2 - 1)
    // 200 draws of a uniform spread of 17 values miss their mean by 0.35 ms; a trip itself takes a millisecond or two.
    const median = ((sorted[99] ?? NaN) + (sorted[100] ?? NaN)) / 2
    expect(median).toBeGreaterThan(12 - 2)
    expect(median).toBeLessThan(12 + 5)
    const drawnMs = acts(proxied.network).map(({ detail }) => detail['delayMs'] as number)
    expect(drawnMs).toHaveLength(200)
    expect(Math.abs(mean(drawnMs) - 12)).toBeLessThan(1.5)
  })

  test.concurrent('keeps the order whatever the jitter', async () => {
    await using proxied = await startProxied([slow(50, 50)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender, { pieceBytes: 100, everyMs: 3 })
    await receiver.untilBytes(5000)
    flow.stop()
    sender.end()
    await receiver.untilEnded()
    expectPattern(receiver, flow.sentBytes)
    // Delays differed by so much that pieces would have overtaken each other.
    const delaysMs = acts(proxied.network).map(({ detail }) => detail['delayMs'] as number)
    expect(Math.max(...delaysMs) - Math.min(...delaysMs)).toBeGreaterThan(50)
  })

  test.concurrent('takes hold of a live connection, for what arrives from then on', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    proxied.proxy.addFault(slow(100))
    const addedMs = performance.now()
    const first = await untilInjection(proxied.network, { action: 'delay' })
    await receiver.untilBytes(receiver.receivedBytes + 5000)
    flow.stop()
    sender.end()
    await receiver.untilEnded()
    expectPattern(receiver, flow.sentBytes)
    // Bytes the proxy had read before may still have been on their way, but then none came for 100 ms.
    expect(longestPauseMs(receiver, addedMs)).toBeGreaterThanOrEqual(100 - 10)
    expect(first.detail).toEqual({ delayMs: 100, offset: 0 })
  })

  test.concurrent('takes a longer delay live for what arrives from then on, and leaves what is on its way', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slow(100)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write('old ')
    await untilInjection(proxied.network, { sequence: 1 })
    clock.advance(10)
    proxied.proxy.updateFault(`latency_${direction}`, { attributes: { latency: 200 } })
    sender.write('new')
    await untilInjection(proxied.network, { sequence: 2 })
    clock.advance(90)
    await receiver.untilBytes(4)
    clock.advance(109)
    expect(heldBytes(proxied.proxy)).toBeGreaterThanOrEqual(3)
    expect(receiver.text).toBe('old ')
    clock.advance(1)
    await receiver.untilBytes(7)
    expect(receiver.text).toBe('old new')
    expect(acts(proxied.network)).toEqual([
      { action: 'delay', detail: { delayMs: 100, offset: 0 } },
      { action: 'delay', detail: { delayMs: 200, offset: 4 } },
    ])
  })

  test.concurrent('takes a shorter delay live for what is on its way, too, counted from its arrival', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slow(60_000)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write('old ')
    await untilInjection(proxied.network, { sequence: 1 })
    clock.advance(10)
    proxied.proxy.updateFault(`latency_${direction}`, { attributes: { latency: 20 } })
    sender.write('new')
    await untilInjection(proxied.network, { sequence: 2 })
    clock.advance(9)
    expect(receiver.receivedBytes).toBe(0)
    clock.advance(1)
    await receiver.untilBytes(4)
    expect(receiver.text).toBe('old ')
    clock.advance(10)
    await receiver.untilBytes(7)
    expect(receiver.text).toBe('old new')
  })

  test.concurrent('changed live under load, loses and reorders nothing', async () => {
    await using proxied = await startProxied([slow(5, 5)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender, { pieceBytes: 5000, everyMs: 1 })
    for (const latency of [50, 0, 20, 1, 0, 30, 10]) {
      await receiver.untilBytes(receiver.receivedBytes + 50_000)
      proxied.proxy.updateFault(`latency_${direction}`, { attributes: { latency } })
    }
    flow.stop()
    sender.end()
    await receiver.untilEnded()
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent('passes on what it holds, in order and at once, when removed', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender, { pieceBytes: 20_000, everyMs: 1 })
    await untilTrue(() => heldBytes(proxied.proxy) > 1_000_000, '1 MB to be held')
    expect(receiver.receivedBytes).toBe(0)
    proxied.proxy.removeFault(`latency_${direction}`)
    expect(heldBytes(proxied.proxy)).toBe(0)
    // Within the 5 seconds that the wait allows, where it would have been a minute.
    await receiver.untilBytes(1_000_000)
    flow.stop()
    sender.end()
    await receiver.untilEnded()
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent.each(['end', 'reset'] as const)('passes on a held %s when removed', async (how) => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write('last words')
    await untilInjection(proxied.network, { action: 'delay', sequence: 1 })
    sender[how]()
    await untilInjection(proxied.network, { action: how === 'end' ? 'delay_close' : 'delay_reset', sequence: 2 })
    proxied.proxy.removeFault(`latency_${direction}`)
    expect(await receiver.untilEnded()).toBe(how === 'end' ? 'FIN' : 'ECONNRESET')
    expect(receiver.text).toBe('last words')
  })

  test.concurrent('removed by whoever hears of its first act, has lost, doubled and reordered nothing', async () => {
    await using proxied = await startProxied([slow(100)])
    const leave = proxied.network.injections.subscribe(() => {
      leave()
      proxied.proxy.removeFault(`latency_${direction}`)
    })
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(20_000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
    expect(heldBytes(proxied.proxy)).toBe(0)
  })

  test.concurrent('leaves an idle connection alone, without a timer', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slow(100, 50)], { clock })
    const { client, server, sender, receiver } = await connectEnds(proxied, direction)
    clock.advance(3_600_000)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(60)
    expect([client.ending, server.ending]).toEqual(['open', 'open'])
    expect(clock.pendingTimers).toBe(0)
    sender.write('x')
    await untilTrue(() => clock.pendingTimers === 1, 'the byte to be held')
    clock.advance(150)
    await receiver.untilBytes(1)
  })

  test('slows the sender down when it holds as much as it may, and counts that', async () => {
    await using proxied = await startProxied([slow(60_000)], { maxHeldBytes: 1_000_000 })
    const { sender, receiver } = await connectEnds(proxied, direction)
    const { traffic, counters } = proxied.proxy
    sender.end(pattern(0, 32_000_000))
    await untilTrue(() => counters.heldLimitsReached > 0, 'the limit to be reached')
    await observe(100)
    // The limit and the reads that crossed it, of 256 KiB at most; the rest waits at the sender.
    expect(traffic[direction].receivedBytes).toBeLessThan(1_000_000 + 2 * 262_144)
    expect(counters.heldLimitsReached).toBe(1)
    proxied.proxy.removeFault(`latency_${direction}`)
    await receiver.untilEnded()
    expectPattern(receiver, 32_000_000)
  })

  testProbability(slow(20), direction)

  describe('stacked', () => {
    test.concurrent('two latencies add up', async () => {
      await using proxied = await startProxied([
        { ...slow(60), name: 'near' },
        { ...slow(80), name: 'far' },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end('ping')
      await receiver.untilBytes(4)
      expectDelay(performance.now() - sentMs, 140)
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 140)
      expect(acts(proxied.network, 'near')[0]).toEqual({ action: 'delay', detail: { delayMs: 60, offset: 0 } })
      expect(acts(proxied.network, 'far')[0]).toEqual({ action: 'delay', detail: { delayMs: 80, offset: 0 } })
    })

    test.concurrent('removing the first of two leaves the second one’s delay', async () => {
      const clock = new ManualClock()
      await using proxied = await startProxied(
        [
          { ...slow(60_000), name: 'near' },
          { ...slow(80), name: 'far' },
        ],
        { clock },
      )
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.write('ping')
      await untilInjection(proxied.network, { fault: 'near' })
      proxied.proxy.removeFault('near')
      clock.advance(79)
      expect(heldBytes(proxied.proxy)).toBeGreaterThanOrEqual(4)
      clock.advance(1)
      expect(heldBytes(proxied.proxy)).toBe(0)
      await receiver.untilBytes(4)
      expect(receiver.text).toBe('ping')
    })

    test.concurrent('latency and bandwidth add up, as a long slow line does', async () => {
      await using proxied = await startProxied([slow(100), { type: 'bandwidth', direction, attributes: { rate: 100 } }])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 20_000))
      await receiver.untilEnded()
      // 20 KB at 100 KB/s take 200 ms, after 100 ms on the way.
      expectDelay(performance.now() - sentMs, 300)
      expect((receiver.arrivals[0]?.atMs ?? 0) - sentMs).toBeGreaterThanOrEqual(100 + 14.6 - 1)
      expectPattern(receiver, 20_000)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([
      { latency: 0, jitter: 0 },
      { latency: -100, jitter: 0 },
      { latency: -HUGE, jitter: 0 },
      { latency: -HUGE, jitter: 1000 },
      { latency: 0, jitter: -50 },
      { latency: -HUGE, jitter: -HUGE },
    ])('$latency ± $jitter ms is no delay', async (attributes) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'latency', direction, attributes)
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 1_000_000))
      await receiver.untilEnded()
      expectPattern(receiver, 1_000_000)
      expect(acts(proxied.network)).toEqual([])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent('50 ms ± less than nothing is 50 ms', async () => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'latency', direction, { latency: 50, jitter: -HUGE })
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end('ping')
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 50)
    })

    test.concurrent.each([
      { latency: 2 ** 53, jitter: 0 },
      { latency: HUGE, jitter: 0 },
      { latency: 0, jitter: HUGE },
      { latency: HUGE, jitter: HUGE },
    ])('$latency ± $jitter ms holds everything until removed', async (attributes) => {
      const clock = new CountingClock()
      await using proxied = await startProxied([], { clock })
      addUnchecked(proxied.proxy, 'latency', direction, attributes)
      const ends = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      // The first segment's delay may be drawn as 0, with jitter around 0; the ones behind it are held.
      ends.sender.end(pattern(0, 1_000_000))
      await untilTrue(() => proxied.proxy.traffic[direction].receivedBytes === 1_000_000, 'all bytes to be read')
      await expectStandstill(ends, clock)
      expect(heldBytes(proxied.proxy)).toBeGreaterThan(900_000 - ends.receiver.receivedBytes)
      proxied.proxy.removeFault(`latency_${direction}`)
      expect(await ends.receiver.untilEnded()).toBe('FIN')
      expectPattern(ends.receiver, 1_000_000)
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })
  })
})

describe('latency, to the millisecond', () => {
  test('releases bytes and signals at arrival plus delay, not before', () => {
    const isolated = new IsolatedStage('latency', { latency: 100 })
    isolated.write('a')
    isolated.clock.advance(30)
    isolated.write('b')
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['100 a', '130 b', '130 end'])
    expect(isolated.stage.heldBytes).toBe(0)
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('holds a single timer, however much is on its way', () => {
    const isolated = new IsolatedStage('latency', { latency: 1000 })
    for (let message = 0; message < 500; message++) {
      isolated.write('m')
      isolated.clock.advance(1)
    }
    expect(isolated.clock.pendingTimers).toBe(1)
  })

  test('draws every whole millisecond of latency ± jitter about equally often', () => {
    const isolated = new IsolatedStage('latency', { latency: 10, jitter: 2 })
    const counts = new Map<number, number>()
    for (let message = 0; message < 5000; message++) {
      isolated.write('m')
      isolated.clock.advance(100)
    }
    for (const { detail } of isolated.acts) {
      const delayMs = detail['delayMs'] as number
      counts.set(delayMs, (counts.get(delayMs) ?? 0) + 1)
    }
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([8, 9, 10, 11, 12])
    // Each of 5 values is expected 1000 times with a deviation of 28: 4 of those.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(113)
    // The delays that were drawn are the delays that were kept.
    expect(isolated.passed.map(({ atMs }, index) => atMs - index * 100)).toEqual(
      isolated.acts.map(({ detail }) => detail['delayMs']),
    )
  })

  test('never lets a short delay overtake a long one', () => {
    const isolated = new IsolatedStage('latency', { latency: 501, jitter: 500 })
    for (let message = 0; message < 1000; message++) {
      isolated.write(`${message} `)
      isolated.clock.advance(2)
    }
    isolated.stage.end()
    isolated.clock.advance(2000)
    expect(isolated.bytes.toString()).toBe(Array.from({ length: 1000 }, (_, message) => `${message} `).join(''))
    expect(isolated.passed.at(-1)?.item).toBe('end')
    // A message leaves when the slowest of those before it has: the latest due time so far.
    let dueMs = 0
    const expected = isolated.acts.map(
      ({ atMs, detail }) => (dueMs = Math.max(dueMs, atMs + Number(detail['delayMs']))),
    )
    expect(isolated.passed.map(({ atMs }) => atMs)).toEqual(expected)
  })

  test('takes a new value even in the midst of a burst', () => {
    const isolated = new IsolatedStage('latency', { latency: 100 })
    isolated.write('a')
    isolated.stage.update({ latency: 300, jitter: 0 })
    isolated.write('b')
    isolated.stage.update({ latency: 200, jitter: 50 })
    isolated.clock.advance(1000)
    // At 200 ± 50 nothing takes longer than 250.
    expect(isolated.log).toEqual(['100 a', '250 b'])
    expect(isolated.acts.map(({ detail }) => detail['delayMs'])).toEqual([100, 300])
  })

  test('gives what arrives together one delay, however it is cut into chunks', () => {
    const whole = new IsolatedStage('latency', { latency: 100, jitter: 50 })
    const cut = new IsolatedStage('latency', { latency: 100, jitter: 50 })
    const data = pattern(0, 200_000)
    whole.write(data)
    for (let offset = 0; offset < data.length; offset += 777) cut.write(data.subarray(offset, offset + 777))
    for (const { clock } of [whole, cut]) clock.advance(1000)
    expect(cut.acts).toEqual(whole.acts)
    expect(cut.bytes.equals(data)).toBe(true)
    expect(whole.bytes.equals(data)).toBe(true)
    // A bulk transfer sees jitter: one draw for each 64 KiB.
    expect(whole.acts.map(({ detail }) => detail['offset'])).toEqual([0, 65_536, 131_072, 196_608])
  })
})

function arrivalTimes({ arrivals }: RawSocket): number[] {
  return arrivals.flatMap(({ atMs, bytes }) => Array.from({ length: bytes }, () => atMs))
}

function longestPauseMs({ arrivals }: RawSocket, fromMs: number): number {
  const timesMs = arrivals.map(({ atMs }) => atMs).filter((atMs) => atMs >= fromMs)
  return Math.max(...timesMs.map((atMs, index) => atMs - (timesMs[index - 1] ?? fromMs)))
}

/** Asks and answers one byte at a time; returns how long each took there and back. */
async function roundTrips(
  proxied: Awaited<ReturnType<typeof startProxied>>,
  direction: Direction,
  times: number,
): Promise<number[]> {
  const { client, server } = await connectEnds(proxied, direction)
  server.socket.pipe(server.socket)
  const timesMs: number[] = []
  for (let trip = 1; trip <= times; trip++) {
    const sentMs = performance.now()
    client.write('?')
    await client.untilBytes(trip)
    timesMs.push(performance.now() - sentMs)
  }
  return timesMs
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
