// Slicer on the wire, both ways: the same bytes in small pieces, with pauses between them.
import { describe, expect, test } from 'vitest'
import { ManualClock, type Network } from '../../../proxy/index.ts'
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
  testProbability,
  untilBothEnded,
  untilInjection,
  untilTrue,
} from '../../support/stream-faults.ts'

/** What a slicer queues before the sender feels it, and the largest read that may cross that. */
const QUEUE_BYTES = 65_536
const LARGEST_READ_BYTES = 262_144

describe.each(directions)('slicer, %s', (direction) => {
  const name = `slicer_${direction}`
  const slices = (average_size: number, size_variation = 0, delay = 0) => ({
    type: 'slicer',
    direction,
    attributes: { average_size, size_variation, delay },
  })

  test('cuts into pieces of average ± variation, as recorded, and changes no byte', async () => {
    await using proxied = await startProxied([slices(500, 200)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 500_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 500_000)
    const recorded = recordedSlices(proxied.network)
    expectContiguous(recorded, 500_000)
    const sizes = recorded.map(({ bytes }) => bytes)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(300)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(700)
    // A thousand uniform draws come within 5 of both ends of the range, and of its middle within 5 deviations of 3.7.
    expect(Math.min(...sizes)).toBeLessThan(305)
    expect(Math.max(...sizes)).toBeGreaterThan(695)
    expect(Math.abs(mean(sizes) - 500)).toBeLessThan(5 * 3.7)
  })

  test.concurrent('pauses for the delay, in microseconds, between two pieces', async () => {
    await using proxied = await startProxied([slices(100, 0, 10_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.end(pattern(0, 2000))
    expect(await receiver.untilEnded()).toBe('FIN')
    // 20 pieces, 19 pauses of 10 ms, and none before FIN. Milliseconds would make it 190 s.
    expectDelay(performance.now() - sentMs, 190)
    expectPattern(receiver, 2000)
    expect(acts(proxied.network)).toHaveLength(20)
    // Each piece is due 10 ms after the one before, so the k-th is never earlier than that.
    const early = progress(receiver, sentMs).filter(
      ({ afterMs, arrivedBytes }) => afterMs < (arrivedBytes / 100 - 1) * 10 - 1,
    )
    expect(early).toEqual([])
  })

  test.concurrent('sends each piece on its own', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slices(1000, 900, 5000)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write(pattern(0, 20_000))
    await untilInjection(proxied.network, { fault: name })
    // One pause after the other, as soon as what came before it has arrived.
    for (let slice = 1; receiver.receivedBytes < 20_000; slice++) {
      const recorded = recordedSlices(proxied.network)
      expect(recorded).toHaveLength(slice)
      await receiver.untilBytes(Math.min(sum(recorded), 20_000))
      clock.advance(5)
    }
    const arrivedBytes = receiver.arrivals.map(({ bytes }) => bytes)
    const recordedBytes = recordedSlices(proxied.network).map(({ bytes }) => bytes)
    expect(arrivedBytes.slice(0, -1)).toEqual(recordedBytes.slice(0, -1))
    expectPattern(receiver, 20_000)
  })

  test.concurrent('passes a small message on at once, without waiting for a full slice', async () => {
    await using proxied = await startProxied([slices(10_000, 0, 60_000_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.write('ping')
    await receiver.untilBytes(4)
    expectDelay(performance.now() - sentMs, 0)
    expect(acts(proxied.network)).toEqual([{ action: 'slice', detail: { offset: 0, bytes: 10_000 } }])
  })

  test.concurrent('leaves the other direction alone', async () => {
    await using proxied = await startProxied([slices(1, 0, 1_000_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.end(pattern(0, 1_000_000))
    // Byte by byte it would take 11 days.
    expect(await sender.untilEnded()).toBe('FIN')
    expectPattern(sender, 1_000_000)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('passes RST on behind the bytes before it', async () => {
    await using proxied = await startProxied([slices(10, 0, 10_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.write(pattern(0, 100))
    await untilInjection(proxied.network, { fault: name })
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expectDelay(performance.now() - sentMs, 90)
    expectPattern(receiver, 100)
  })

  test.concurrent('slices question or answer of a half-closed connection, and loses neither', async () => {
    await using proxied = await startProxied([slices(100, 0, 10_000)])
    const { client, server } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    client.end(pattern(0, 1000))
    expect(await server.untilEnded()).toBe('FIN')
    expectPattern(server, 1000)
    server.end(pattern(0, 1000))
    expect(await client.untilEnded()).toBe('FIN')
    expectPattern(client, 1000)
    // One of the two ways has the fault: 10 pieces, 9 pauses.
    expectDelay(performance.now() - sentMs, 90)
  })

  test.concurrent('takes hold of a live connection while data flows, and lets go of it', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    proxied.proxy.addFault(slices(50, 40))
    await untilInjection(proxied.network, { fault: name })
    await receiver.untilBytes(receiver.receivedBytes + 5000)
    proxied.proxy.removeFault(name)
    const sliced = proxied.network.injections.total
    await receiver.untilBytes(receiver.receivedBytes + 5000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
    // 5 KB in pieces of 90 bytes at most; none once removed.
    expect(sliced).toBeGreaterThanOrEqual(5000 / 90)
    expect(proxied.network.injections.total).toBe(sliced)
  })

  test.concurrent('passes on what it holds, in order and at once, when removed', async () => {
    await using proxied = await startProxied([slices(10, 0, 1_000_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 1_000_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
    proxied.proxy.removeFault(name)
    expect(heldBytes(proxied.proxy)).toBe(0)
    // Within the 5 seconds that the wait allows, where it would have been a day.
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1_000_000)
  })

  test.concurrent('takes new sizes live, from the next slice on', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slices(100, 0, 10_000)], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 1000))
    await untilInjection(proxied.network, { fault: name })
    clock.advance(10)
    proxied.proxy.updateFault(name, { attributes: { average_size: 400 } })
    clock.advance(20)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1000)
    expect(recordedSlices(proxied.network).map(({ bytes }) => bytes)).toEqual([100, 100, 400, 400])
  })

  test.concurrent('takes a shorter delay live, for the pause that it is in', async () => {
    await using proxied = await startProxied([slices(100, 0, 60_000_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 20_000))
    await receiver.untilBytes(100)
    const changedMs = performance.now()
    proxied.proxy.updateFault(name, { attributes: { delay: 1000 } })
    expect(await receiver.untilEnded()).toBe('FIN')
    // 199 pauses of a millisecond, where the first alone would have been a minute.
    expectDelay(performance.now() - changedMs, 199)
    expectPattern(receiver, 20_000)
  })

  test.concurrent('slows the sender down when it is slow itself', async () => {
    const clock = new CountingClock()
    await using proxied = await startProxied([slices(1, 0, 60_000_000)], { clock })
    const ends = await connectEnds(proxied, direction)
    ends.sender.write(pattern(0, 16_000_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
    await ends.receiver.untilBytes(1)
    await expectStandstill(ends, clock)
    expect(proxied.proxy.traffic[direction].receivedBytes).toBeLessThanOrEqual(QUEUE_BYTES + LARGEST_READ_BYTES)
  })

  test.concurrent('removed by whoever hears of its first act, has lost, doubled and reordered nothing', async () => {
    await using proxied = await startProxied([slices(10, 5, 1000)])
    const leave = proxied.network.injections.subscribe(() => {
      leave()
      proxied.proxy.removeFault(name)
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
    await using proxied = await startProxied([slices(10, 5, 10_000)], { clock })
    const { client, server, sender, receiver } = await connectEnds(proxied, direction)
    clock.advance(3_600_000)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(60)
    expect([client.ending, server.ending]).toEqual(['open', 'open'])
    expect(clock.pendingTimers).toBe(0)
    sender.write('x')
    await receiver.untilBytes(1)
  })

  testProbability(slices(1), direction)

  test('cuts 1 MB into single bytes while everybody else is served', async () => {
    await using proxied = await startProxied([slices(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const other = await connectEnds(proxied, direction)
    using lag = new LagWatch()
    sender.end(pattern(0, 1_000_000))
    let trips = 0
    while (receiver.receivedBytes < 100_000) {
      other.sender.write('?')
      await other.receiver.untilBytes(++trips)
    }
    // 256 pieces a turn of the loop make 390 turns of this. A chunk of 64 KiB in one go would leave others two or three.
    expect(trips).toBeGreaterThan(50)
    // The rest need not be waited for.
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1_000_000)
    expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
  })

  describe('stacked', () => {
    test.concurrent('before a latency, everything comes later by that', async () => {
      await using proxied = await startProxied([
        slices(100, 0, 10_000),
        { type: 'latency', direction, attributes: { latency: 100 } },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 1000))
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 190)
      expectPattern(receiver, 1000)
    })

    test.concurrent('before a bandwidth, the slower one counts', async () => {
      await using proxied = await startProxied([
        slices(100, 0, 10_000),
        { type: 'bandwidth', direction, attributes: { rate: 100 } },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 1000))
      await receiver.untilEnded()
      // The last of 10 pieces leaves the slicer after 90 ms and takes the line 1 ms.
      expectDelay(performance.now() - sentMs, 91)
      expectPattern(receiver, 1000)
    })

    test.concurrent('before a limit_data, exactly the limit arrives', async () => {
      await using proxied = await startProxied([
        slices(7, 3),
        { type: 'limit_data', direction, attributes: { bytes: 1001 } },
      ])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write(pattern(0, 10_000))
      expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
      expectPattern(ends.receiver, 1001)
    })

    test.concurrent('two of them cut twice', async () => {
      await using proxied = await startProxied([
        { ...slices(100), name: 'coarse' },
        { ...slices(30), name: 'fine' },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end(pattern(0, 3000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 3000)
      expect(acts(proxied.network, 'coarse')).toHaveLength(30)
      expect(acts(proxied.network, 'fine')).toHaveLength(100)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -HUGE])('an average of %d bytes is 1 byte', async (average_size) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'slicer', direction, { average_size })
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 5000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 5000)
      const sizes = recordedSlices(proxied.network).map(({ bytes }) => bytes)
      expect(sizes).toEqual(Array.from({ length: 5000 }, () => 1))
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([
      { average_size: 2 ** 53, size_variation: 0 },
      { average_size: HUGE, size_variation: 0 },
      { average_size: HUGE, size_variation: -HUGE },
    ])('an average of $average_size ± $size_variation bytes is a single slice', async (attributes) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'slicer', direction, attributes)
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 1_000_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 1_000_000)
      expect(acts(proxied.network)).toHaveLength(1)
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([
      { average_size: 10, size_variation: -5, sizes: [10, 10] },
      { average_size: 1, size_variation: 1000, sizes: [1, 1001] },
      { average_size: 100, size_variation: HUGE, sizes: [1, 2 * HUGE] },
    ])('$average_size ± $size_variation bytes lie within $sizes', async ({ average_size, size_variation, sizes }) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'slicer', direction, { average_size, size_variation })
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 20_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 20_000)
      const [least = NaN, most = NaN] = sizes
      const recorded = recordedSlices(proxied.network)
      expect(recorded.length).toBeGreaterThan(0)
      expect(recorded.filter(({ bytes }) => bytes < least || bytes > most)).toEqual([])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([-1, -HUGE])('a delay of %d µs is none', async (delay) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'slicer', direction, { average_size: 100, delay })
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end(pattern(0, 100_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 100_000)
    })

    test.concurrent.each([2 ** 53, HUGE])(
      'a delay of %d µs holds all but the first slice until removed',
      async (delay) => {
        const clock = new CountingClock()
        await using proxied = await startProxied([slices(100, 0, delay)], { clock })
        const ends = await connectEnds(proxied, direction)
        using lag = new LagWatch()
        ends.sender.end(pattern(0, 1_000_000))
        await untilTrue(() => heldBytes(proxied.proxy) >= QUEUE_BYTES, 'a full queue')
        await ends.receiver.untilBytes(100)
        await expectStandstill(ends, clock)
        expectPattern(ends.receiver, 100)
        proxied.proxy.removeFault(name)
        expect(await ends.receiver.untilEnded()).toBe('FIN')
        expectPattern(ends.receiver, 1_000_000)
        expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
      },
    )
  })
})

describe('slicer, to the byte', () => {
  test('passes the first slice on at once and the others a delay apart, FIN with the last', () => {
    const isolated = new IsolatedStage('slicer', { average_size: 2, delay: 10_000 })
    isolated.write('abcdefg')
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['0 ab', '10 cd', '20 ef', '30 g', '30 end'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('takes a longer delay from the next pause on, and cuts a pause short that is longer than the new one', () => {
    const isolated = new IsolatedStage('slicer', { average_size: 1, delay: 10_000 })
    isolated.write('abcd')
    isolated.clock.advance(4)
    isolated.stage.update({ average_size: 1, size_variation: 0, delay: 30_000 })
    isolated.clock.advance(10)
    isolated.stage.update({ average_size: 1, size_variation: 0, delay: 5000 })
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['0 a', '10 b', '19 c', '24 d'])
  })

  test('counts delays below a millisecond: a thousand of 100 µs are 100 ms', () => {
    const isolated = new IsolatedStage('slicer', { average_size: 1, delay: 100 })
    isolated.write(pattern(0, 1001))
    isolated.stage.end()
    isolated.clock.advance(1000)
    const end = isolated.passed.at(-1)
    expect(end?.item).toBe('end')
    // A timer's coarseness of half a millisecond is not added up.
    expect(end?.atMs).toBeGreaterThanOrEqual(100 - 0.5)
    expect(end?.atMs).toBeLessThanOrEqual(100 + 0.5)
  })

  test('cuts at the same places however the kernel cuts, with the same seed', () => {
    const attributes = { average_size: 100, size_variation: 80 }
    const data = pattern(0, 50_000)
    const whole = new IsolatedStage('slicer', attributes)
    whole.write(data)
    whole.clock.advance(1000)
    for (const chunkBytes of [1, 7, 99, 1460]) {
      const cut = new IsolatedStage('slicer', attributes)
      for (let offset = 0; offset < data.length; offset += chunkBytes) {
        cut.write(data.subarray(offset, offset + chunkBytes))
        cut.clock.advance(1)
      }
      cut.clock.advance(1000)
      expect(cut.acts.map(({ detail }) => detail)).toEqual(whole.acts.map(({ detail }) => detail))
      expect(cut.bytes.equals(data)).toBe(true)
    }
    const other = new IsolatedStage('slicer', attributes, { seed: 2 })
    other.write(data)
    other.clock.advance(1000)
    expect(other.acts.map(({ detail }) => detail)).not.toEqual(whole.acts.map(({ detail }) => detail))
  })

  test('draws every size of average ± variation about equally often', () => {
    const isolated = new IsolatedStage('slicer', { average_size: 10, size_variation: 2 })
    isolated.write(pattern(0, 50_000))
    isolated.clock.advance(1000)
    const counts = new Map<number, number>()
    for (const { item } of isolated.passed.slice(0, -1)) {
      const bytes = (item as Buffer).length
      counts.set(bytes, (counts.get(bytes) ?? 0) + 1)
    }
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([8, 9, 10, 11, 12])
    // Each of 5 sizes is expected 1000 times with a deviation of 28: 4 of those.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(113)
  })
})

interface Slice {
  readonly offset: number
  readonly bytes: number
}

function recordedSlices(network: Network): Slice[] {
  const recorded = acts(network)
  expect(recorded.filter(({ action }) => action !== 'slice')).toEqual([])
  return recorded.map(({ detail }) => ({ offset: Number(detail['offset']), bytes: Number(detail['bytes']) }))
}

/** Each slice begins where the one before ends; the last may be cut short by the end of the stream. */
function expectContiguous(slices: readonly Slice[], totalBytes: number): void {
  let end = 0
  const apart = slices.filter(({ offset, bytes }) => {
    const gap = offset !== end
    end = offset + bytes
    return gap
  })
  expect(apart).toEqual([])
  expect(end).toBeGreaterThanOrEqual(totalBytes)
  expect(slices.at(-1)?.offset).toBeLessThan(totalBytes)
}

function sum(slices: readonly Slice[]): number {
  return slices.reduce((total, { bytes }) => total + bytes, 0)
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / values.length
}
