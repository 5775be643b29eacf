// Stall on the wire, both ways: the flow stops where and when it was told to, and goes on with nothing lost.
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
  testProbability,
  untilBothEnded,
  untilInjection,
  untilTrue,
} from '../../support/stream-faults.ts'

/** What the stage holds before the sender feels it, and the largest read that may come on top. */
const HOLD_BYTES = 65_536
const LARGEST_READ_BYTES = 262_144

const stalled = (offset: number) => ({ action: 'stall', detail: { offset } })
const resumed = (offset: number) => ({ action: 'resume', detail: { offset } })

describe.each(directions)('stall, %s', (direction) => {
  const name = `stall_${direction}`
  const stall = (attributes: Record<string, number> = {}) => ({ type: 'stall', direction, attributes })

  test.concurrent.each([0, 1, 1234, 700_001])('after %d bytes stops, and goes on when removed', async (bytes) => {
    const clock = new CountingClock()
    await using proxied = await startProxied([stall({ bytes })], { clock })
    const ends = await connectEnds(proxied, direction)
    ends.sender.end(pattern(0, 1_000_000))
    await untilInjection(proxied.network, { action: 'stall' })
    await ends.receiver.untilBytes(bytes)
    await expectStandstill(ends, clock)
    expectPattern(ends.receiver, bytes)
    proxied.proxy.removeFault(name)
    expect(heldBytes(proxied.proxy)).toBe(0)
    expect(await ends.receiver.untilEnded()).toBe('FIN')
    expectPattern(ends.receiver, 1_000_000)
    expect(acts(proxied.network)).toEqual([stalled(bytes)])
  })

  test.concurrent('slows the sender down: what it keeps is bounded', async () => {
    const clock = new CountingClock()
    await using proxied = await startProxied([stall()], { clock })
    const ends = await connectEnds(proxied, direction)
    ends.sender.end(pattern(0, 16_000_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= HOLD_BYTES, 'a full stage')
    await expectStandstill(ends, clock)
    expect(proxied.proxy.traffic[direction].receivedBytes).toBeLessThanOrEqual(HOLD_BYTES + LARGEST_READ_BYTES)
    proxied.proxy.removeFault(name)
    expect(await ends.receiver.untilEnded()).toBe('FIN')
    expectPattern(ends.receiver, 16_000_000)
  })

  test.concurrent('goes on by itself after its duration, counted from the first byte that it keeps', async () => {
    await using proxied = await startProxied([stall({ bytes: 1000, durationMs: 150 })])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write(pattern(0, 1000))
    await receiver.untilBytes(1000)
    await observe(100)
    const sentMs = performance.now()
    sender.end(pattern(1000, 3_000_000))
    await receiver.untilBytes(1001)
    expectDelay(performance.now() - sentMs, 150)
    // Once: the rest, far more than it keeps, is not stopped again.
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 3_000_000)
    expect(acts(proxied.network)).toEqual([stalled(1000), resumed(1000)])
  })

  test.concurrent('stops after a time, whatever has passed before', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([stall({ afterMs: 1000 })], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write(pattern(0, 500_000))
    await receiver.untilBytes(500_000)
    clock.advance(1000)
    sender.end(pattern(500_000, 600_000))
    await untilInjection(proxied.network, { action: 'stall' })
    await observe(50)
    expectPattern(receiver, 500_000)
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 600_000)
    expect(acts(proxied.network)).toEqual([stalled(500_000)])
  })

  test.concurrent('lets the other direction through', async () => {
    await using proxied = await startProxied([stall()])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write('kept')
    receiver.end(pattern(0, 1_000_000))
    expect(await sender.untilEnded()).toBe('FIN')
    expectPattern(sender, 1_000_000)
    expect(receiver.receivedBytes).toBe(0)
  })

  test.concurrent.each([
    { how: 'end', ending: 'FIN' },
    { how: 'reset', ending: 'ECONNRESET' },
  ] as const)('keeps a $ending, and passes it on when removed', async ({ how, ending }) => {
    await using proxied = await startProxied([stall()])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender[how]()
    await untilInjection(proxied.network, { action: 'stall' })
    // An end that is passed on arrives within a turn of the loop.
    await observe(50)
    expect(receiver.ending).toBe('open')
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe(ending)
  })

  test.concurrent('does not act on a stream that ends before it', async () => {
    await using proxied = await startProxied([stall({ bytes: 1000 })])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 999))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 999)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('added, removed and added again while data flows, loses, doubles and reorders nothing', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    for (let round = 1; round <= 3; round++) {
      await receiver.untilBytes(receiver.receivedBytes + 5000)
      proxied.proxy.addFault(stall({ bytes: 1234 }))
      await untilTrue(() => acts(proxied.network).length === round, 'a stall')
      await untilTrue(() => heldBytes(proxied.proxy) > 5000, 'bytes that are kept')
      proxied.proxy.removeFault(name)
    }
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent('given a duration while it stalls, goes on once that has passed', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([stall()], { clock })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 1000))
    await untilInjection(proxied.network, { action: 'stall' })
    clock.advance(1000)
    proxied.proxy.updateFault(name, { attributes: { durationMs: 500 } })
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1000)
    expect(acts(proxied.network)).toEqual([stalled(0), resumed(0)])
  })

  testProbability(stall(), direction)

  describe('stacked', () => {
    test.concurrent('behind a limit_data, keeps its close back too', async () => {
      const limit = { type: 'limit_data', direction, attributes: { bytes: 1000 } }
      await using proxied = await startProxied([limit, stall({ bytes: 500 })])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write(pattern(0, 2000))
      await untilInjection(proxied.network, { fault: name })
      await ends.receiver.untilBytes(500)
      await observe(50)
      expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
      proxied.proxy.removeFault(name)
      expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
      expectPattern(ends.receiver, 1000)
    })

    test.concurrent('before a latency, everything comes later by both', async () => {
      const latency = { type: 'latency', direction, attributes: { latency: 100 } }
      await using proxied = await startProxied([stall({ durationMs: 100 }), latency])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end(pattern(0, 100_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectDelay(performance.now() - sentMs, 200)
      expectPattern(receiver, 100_000)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([{ bytes: HUGE }, { afterMs: HUGE }])('%o never stops anything', async (attributes) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'stall', direction, attributes)
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end(pattern(0, 1_000_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 1_000_000)
      expect(acts(proxied.network)).toEqual([])
    })

    test.concurrent.each([{ bytes: -HUGE }, { afterMs: -HUGE }, { durationMs: -HUGE }, { durationMs: HUGE }])(
      '%o stops all until removed',
      async (attributes) => {
        const clock = new CountingClock()
        await using proxied = await startProxied([], { clock })
        addUnchecked(proxied.proxy, 'stall', direction, attributes)
        const ends = await connectEnds(proxied, direction)
        using lag = new LagWatch()
        ends.sender.end(pattern(0, 1000))
        await untilInjection(proxied.network, { action: 'stall' })
        await expectStandstill(ends, clock)
        expect(ends.receiver.receivedBytes).toBe(0)
        proxied.proxy.removeFault(name)
        expect(await ends.receiver.untilEnded()).toBe('FIN')
        expectPattern(ends.receiver, 1000)
        expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
      },
    )
  })
})

describe('stall, to the byte and the millisecond', () => {
  test('stops in the middle of a chunk, goes on after its duration, and never stops again', () => {
    const isolated = new IsolatedStage('stall', { bytes: 4, durationMs: 100 })
    isolated.write('ab')
    isolated.clock.advance(10)
    isolated.write('cdef')
    isolated.clock.advance(50)
    isolated.write('gh')
    isolated.clock.advance(50)
    isolated.write('ij')
    isolated.stage.end()
    expect(isolated.log).toEqual(['0 ab', '10 cd', '110 ef', '110 gh', '110 ij', '110 end'])
    expect(isolated.acts.map(({ atMs, action, detail }) => ({ atMs, action, detail }))).toEqual([
      { atMs: 10, ...stalled(4) },
      { atMs: 110, ...resumed(4) },
    ])
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('lets nothing overtake what it keeps while that takes several turns to pass on', () => {
    const isolated = new IsolatedStage('stall', { durationMs: 100 })
    // 256 pieces go on in a turn.
    for (let piece = 0; piece < 1000; piece++) isolated.write(pattern(4 * piece, 4 * piece + 4))
    isolated.clock.setTimer(() => isolated.write(pattern(4000, 4004)), 100)
    isolated.clock.advance(200)
    expect(isolated.bytes.equals(pattern(0, 4004))).toBe(true)
  })

  test('with both limits, stops when both have been reached', () => {
    const late = new IsolatedStage('stall', { bytes: 2, afterMs: 100 })
    late.write('abc')
    late.clock.advance(99)
    late.write('d')
    late.clock.advance(1)
    late.write('e')
    expect(late.log).toEqual(['0 abc', '99 d'])

    const long = new IsolatedStage('stall', { bytes: 4, afterMs: 100 })
    long.write('abc')
    long.clock.advance(200)
    long.write('de')
    expect(long.log).toEqual(['0 abc', '200 d'])
  })

  test('keeps the FIN right behind the last byte that passes, and needs no timer to wait', () => {
    const isolated = new IsolatedStage('stall', { bytes: 3 })
    isolated.write('abc')
    isolated.stage.end()
    isolated.clock.advance(3_600_000)
    expect(isolated.log).toEqual(['0 abc'])
    expect(isolated.clock.pendingTimers).toBe(0)
    isolated.stage.remove()
    expect(isolated.log).toEqual(['0 abc', '3600000 end'])
    expect(isolated.acts.map(({ action }) => action)).toEqual(['stall'])
  })

  test('is full at 64 KiB, or at the limit of the network if that is less', () => {
    const isolated = new IsolatedStage('stall', {})
    isolated.write(pattern(0, HOLD_BYTES / 2))
    expect(isolated.stage.full).toBe(false)
    isolated.write(pattern(0, HOLD_BYTES / 2))
    expect(isolated.stage.full).toBe(true)
    const small = new IsolatedStage('stall', {}, { maxHeldBytes: 1000 })
    small.write(pattern(0, 1000))
    expect(small.stage.full).toBe(true)
    expect(small.limitsReached).toBe(1)
  })

  test('leaves an idle connection without a record or a timer, and drops what it keeps with the connection', () => {
    const isolated = new IsolatedStage('stall', { durationMs: 100 })
    isolated.clock.advance(1000)
    expect([isolated.acts.length, isolated.clock.pendingTimers]).toEqual([0, 0])
    isolated.write('x')
    isolated.stage.dispose()
    expect([isolated.stage.heldBytes, isolated.clock.pendingTimers]).toEqual([0, 0])
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual([])
  })
})
