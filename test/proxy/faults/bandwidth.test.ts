// Bandwidth on the wire, both ways. How exact it is over seconds and at high rates is for bench/ to show.
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../proxy/index.ts'
import { IsolatedStage } from '../../support/isolated-stage.ts'
import { startProxied } from '../../support/proxied.ts'
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
  progress,
  SLACK_MS,
  StallWatch,
  testProbability,
  untilInjection,
  untilTrue,
} from '../../support/stream-faults.ts'

/** What a slow line queues before the sender feels it, and the largest read that may cross that. */
const QUEUE_BYTES = 65_536
const LARGEST_READ_BYTES = 262_144

describe.each(directions)('bandwidth, %s', (direction) => {
  const name = `bandwidth_${direction}`
  const line = (rate: number) => ({ type: 'bandwidth', direction, attributes: { rate } })

  test.each([
    { rate: 100, bytes: 100_000 },
    { rate: 10_000, bytes: 6_000_000 },
  ])('lets $rate KB a second through, evenly', async ({ rate, bytes }) => {
    await using proxied = await startProxied([line(rate)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using stalls = new StallWatch()
    const sentMs = performance.now()
    sender.end(pattern(0, bytes))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - sentMs, bytes / rate)
    expectPattern(receiver, bytes)
    const arrived = progress(receiver, sentMs)
    // At no time has more arrived than the line could have sent by then, but for the millisecond timers are coarse.
    expect(arrived.filter(({ afterMs, arrivedBytes }) => arrivedBytes > (afterMs + 1) * rate)).toEqual([])
    // In its second half the transfer is, at least once, no further back than 5 % and what this process was kept from
    // running at a time. A slower line never is.
    const keptUpBytesPerMs = arrived
      .slice(arrived.length / 2)
      .map(({ afterMs, arrivedBytes }) => arrivedBytes / (afterMs - stalls.longestMs))
    expect(Math.max(...keptUpBytesPerMs)).toBeGreaterThan(rate * 0.95)
  })

  test.concurrent('sends a small message as late as its bytes take, without waiting for more of them', async () => {
    await using proxied = await startProxied([line(10)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.write(pattern(0, 1000))
    await receiver.untilBytes(1000)
    // 1000 bytes at 10 bytes a millisecond.
    expectDelay(performance.now() - sentMs, 100)
    expect(acts(proxied.network)).toEqual([{ action: 'throttle', detail: { rate: 10, offset: 0 } }])
  })

  test.concurrent('has not saved up a burst while nobody sent', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([line(10)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    clock.advance(60_000)
    sender.write(pattern(0, 1000))
    await untilInjection(proxied.network, { fault: name })
    clock.advance(99)
    expect(heldBytes(proxied.proxy)).toBeGreaterThan(0)
    clock.advance(1)
    expect(heldBytes(proxied.proxy)).toBe(0)
    await receiver.untilBytes(1000)
    expectPattern(receiver, 1000)
  })

  test.concurrent('leaves the other direction alone', async () => {
    await using proxied = await startProxied([line(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.end(pattern(0, 1_000_000))
    // At 1 KB a second it would take a quarter of an hour.
    expect(await sender.untilEnded()).toBe('FIN')
    expectPattern(sender, 1_000_000)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('passes RST on behind the bytes before it', async () => {
    await using proxied = await startProxied([line(10)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.write(pattern(0, 1000))
    await untilInjection(proxied.network, { fault: name })
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expectDelay(performance.now() - sentMs, 100)
    expectPattern(receiver, 1000)
  })

  test.concurrent('slows down question or answer of a half-closed connection, and loses neither', async () => {
    await using proxied = await startProxied([line(10)])
    const { client, server } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    client.end(pattern(0, 1000))
    expect(await server.untilEnded()).toBe('FIN')
    expectPattern(server, 1000)
    server.end(pattern(0, 1000))
    expect(await client.untilEnded()).toBe('FIN')
    expectPattern(client, 1000)
    // One of the two ways has the fault.
    expectDelay(performance.now() - sentMs, 100)
  })

  test.concurrent('takes hold of a live connection, and lets go of it', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    // 250 KB/s, where the line will take 20.
    using flow = new Flow(sender, { pieceBytes: 500, everyMs: 2 })
    await receiver.untilBytes(10_000)
    proxied.proxy.addFault(line(20))
    await untilInjection(proxied.network, { fault: name })
    const [addedMs, beforeBytes] = [performance.now(), receiver.receivedBytes]
    await receiver.untilBytes(beforeBytes + 5000)
    // Up to 2 pieces had been passed on but not arrived when the fault took hold; 5 ms of a free line.
    expect(performance.now() - addedMs).toBeGreaterThan((5000 - 2 * 500) / 20 - 1)
    await untilTrue(() => heldBytes(proxied.proxy) > 10_000, 'a queue')
    proxied.proxy.removeFault(name)
    expect(heldBytes(proxied.proxy)).toBe(0)
    flow.stop()
    sender.end()
    // What waits here would have taken the line half a second.
    await receiver.untilEnded()
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent('passes on what it holds, in order and at once, when removed', async () => {
    await using proxied = await startProxied([line(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 1_000_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
    proxied.proxy.removeFault(name)
    expect(heldBytes(proxied.proxy)).toBe(0)
    // Within the 5 seconds that the wait allows, where it would have been 1000.
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1_000_000)
  })

  test.concurrent('takes a new rate live, for what it holds, too', async () => {
    await using proxied = await startProxied([line(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 20_000))
    await untilTrue(() => heldBytes(proxied.proxy) > 19_000, 'the bytes to be held')
    const changedMs = performance.now()
    const passedBytes = receiver.receivedBytes
    proxied.proxy.updateFault(name, { attributes: { rate: 200 } })
    expect(await receiver.untilEnded()).toBe('FIN')
    const elapsedMs = performance.now() - changedMs
    expectPattern(receiver, 20_000)
    // 20 KB took 20 s at the old rate. Up to a piece of 100 bytes was under way.
    expect(elapsedMs).toBeGreaterThanOrEqual((20_000 - passedBytes - 100) / 200 - 1)
    expect(elapsedMs).toBeLessThan(100 + SLACK_MS)
  })

  test.concurrent('at rate 0 passes nothing until changed, and has not saved up a burst meanwhile', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([line(0)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 10_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= 10_000, 'the bytes to be held')
    clock.advance(3_600_000)
    expect(heldBytes(proxied.proxy)).toBeGreaterThanOrEqual(10_000)
    proxied.proxy.updateFault(name, { attributes: { rate: 10 } })
    clock.advance(1000 - 1)
    // At most the last piece of 1460 bytes is still there.
    expect(heldBytes(proxied.proxy)).toBeGreaterThan(0)
    expect(heldBytes(proxied.proxy)).toBeLessThan(1460 + 256)
    clock.advance(1)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 10_000)
  })

  test('at rate 0 stops the sender by backpressure, until removed', async () => {
    const clock = new CountingClock()
    await using proxied = await startProxied([line(0)], { clock })
    const ends = await connectEnds(proxied, direction)
    const { sender, receiver } = ends
    const offeredBytes = 64_000_000
    sender.end(pattern(0, offeredBytes))
    await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
    await expectStandstill(ends, clock)
    // The proxy has stopped reading, so the kernel's buffers are full and the sender's writes wait in its process.
    expect(proxied.proxy.traffic[direction].receivedBytes).toBeLessThanOrEqual(QUEUE_BYTES + LARGEST_READ_BYTES)
    const waitingBytes = sender.socket.writableLength
    expect(waitingBytes).toBeGreaterThan(0)
    await observe(50)
    expect(sender.socket.writableLength).toBe(waitingBytes)
    expect(receiver.receivedBytes).toBe(0)
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, offeredBytes)
    expect(acts(proxied.network)).toEqual([{ action: 'throttle', detail: { rate: 0, offset: 0 } }])
  })

  test.concurrent('queues little, so that a slow line slows its sender down', async () => {
    await using proxied = await startProxied([line(100)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write(pattern(0, 16_000_000))
    await receiver.untilBytes(20_000)
    expect(heldBytes(proxied.proxy)).toBeLessThan(QUEUE_BYTES + LARGEST_READ_BYTES + 1000)
    expect(proxied.proxy.traffic[direction].receivedBytes).toBeLessThan(QUEUE_BYTES + LARGEST_READ_BYTES + 40_000)
    expect(proxied.proxy.counters.heldLimitsReached).toBe(0)
  })

  test.concurrent('records each time that it starts to hold bytes back, with the offset', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([line(1)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    for (const sequence of [1, 2, 3]) {
      sender.write(pattern((sequence - 1) * 50, sequence * 50))
      await untilInjection(proxied.network, { sequence })
      clock.advance(50)
      await receiver.untilBytes(sequence * 50)
    }
    expect(acts(proxied.network)).toEqual(
      [0, 50, 100].map((offset) => ({ action: 'throttle', detail: { rate: 1, offset } })),
    )
    expectPattern(receiver, 150)
  })

  test.concurrent('leaves an idle connection alone, without a timer, and its FIN', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([line(0)], { clock })
    const { client, server, sender, receiver } = await connectEnds(proxied, direction)
    clock.advance(3_600_000)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(60)
    expect([client.ending, server.ending]).toEqual(['open', 'open'])
    expect(clock.pendingTimers).toBe(0)
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expect(acts(proxied.network)).toEqual([])
  })

  testProbability(line(1), direction)

  describe('stacked', () => {
    test.concurrent('the slower of two lines counts', async () => {
      await using proxied = await startProxied([
        { ...line(1000), name: 'fast' },
        { ...line(100), name: 'slow' },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 20_000))
      await receiver.untilEnded()
      // The last piece of the fast line is with the slow one long before its turn.
      expectDelay(performance.now() - sentMs, 200)
      expectPattern(receiver, 20_000)
    })

    test.concurrent('delays FIN and bytes alike before a latency', async () => {
      await using proxied = await startProxied([
        line(100),
        { type: 'latency', direction, attributes: { latency: 100 } },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 10_000))
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 200)
      expectPattern(receiver, 10_000)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -(2 ** 53), -HUGE])(
      '%d KB a second lets nothing through until removed',
      async (rate) => {
        const clock = new CountingClock()
        await using proxied = await startProxied([], { clock })
        addUnchecked(proxied.proxy, 'bandwidth', direction, { rate })
        const ends = await connectEnds(proxied, direction)
        using lag = new LagWatch()
        ends.sender.end(pattern(0, 1_000_000))
        await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
        await expectStandstill(ends, clock)
        expect(ends.receiver.receivedBytes).toBe(0)
        proxied.proxy.removeFault(name)
        expect(await ends.receiver.untilEnded()).toBe('FIN')
        expectPattern(ends.receiver, 1_000_000)
        expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
      },
    )

    test.concurrent.each([2 ** 53, HUGE])('%d KB a second is no limit', async (rate) => {
      await using proxied = await startProxied([line(rate)])
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 8_000_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 8_000_000)
      expect(acts(proxied.network)).toEqual([])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })
  })
})

describe('bandwidth, to the byte', () => {
  test('passes on a packet’s worth each time the line has had time for it', () => {
    const isolated = new IsolatedStage('bandwidth', { rate: 146 })
    isolated.write(pattern(0, 4000))
    isolated.stage.end()
    isolated.clock.advance(1000)
    const sizes = isolated.passed.map(({ atMs, item }) => [
      Math.round(atMs),
      typeof item === 'string' ? item : item.length,
    ])
    // 1460 bytes at 146 bytes a millisecond take 10 ms; the last 1080 bytes take 7.4.
    expect(sizes).toEqual([
      [10, 1460],
      [20, 1460],
      [27, 1080],
      [27, 'end'],
    ])
    expect(isolated.bytes.equals(pattern(0, 4000))).toBe(true)
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('moves at least every 100 ms, however slow the line', () => {
    const isolated = new IsolatedStage('bandwidth', { rate: 1 })
    isolated.write(pattern(0, 1000))
    isolated.clock.advance(1000)
    expect(isolated.passed.map(({ atMs }) => atMs)).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
  })

  test('records that it holds bytes back once, until it has passed all of them on', () => {
    const isolated = new IsolatedStage('bandwidth', { rate: 1 })
    for (const bytes of ['abc', 'def', 'ghi']) isolated.write(bytes)
    isolated.clock.advance(9)
    isolated.write('jkl')
    const recorded = isolated.acts.map(({ atMs, detail }) => [atMs, detail['offset']])
    expect(recorded).toEqual([
      [0, 0],
      [9, 9],
    ])
  })

  test('is as exact after many small messages as after one large one', () => {
    const isolated = new IsolatedStage('bandwidth', { rate: 100 })
    for (let message = 0; message < 1000; message++) isolated.write(pattern(message * 333, message * 333 + 333))
    isolated.clock.advance(3330 - 1)
    expect(isolated.bytes.length).toBeLessThan(333_000)
    isolated.clock.advance(1)
    expect(isolated.bytes.equals(pattern(0, 333_000))).toBe(true)
  })

  test('keeps flowing while its rate is changed again and again', () => {
    const isolated = new IsolatedStage('bandwidth', { rate: 100 })
    isolated.write(pattern(0, 100_000))
    // A ramp in steps that are shorter than a packet takes at 100 KB/s (14.6 ms).
    for (let step = 0; step < 100; step++) {
      isolated.stage.update({ rate: step % 2 === 0 ? 101 : 99 })
      isolated.clock.advance(5)
    }
    // 500 ms at 100 KB/s, less the packets that are not complete.
    expect(isolated.bytes.length).toBeGreaterThan(50_000 - 2 * 1460)
    expect(isolated.bytes.length).toBeLessThanOrEqual(50_500)
  })
})
