// Slow close on the wire, both ways: the data at once, its end later.
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
  LagWatch,
  observe,
  pattern,
  SLACK_MS,
  testProbability,
  untilBothEnded,
  untilInjection,
} from '../../support/stream-faults.ts'

describe.each(directions)('slow_close, %s', (direction) => {
  const name = `slow_close_${direction}`
  const slow = (delay: number) => ({ type: 'slow_close', direction, attributes: { delay } })

  test.concurrent('delays FIN, not the data before it', async () => {
    await using proxied = await startProxied([slow(500)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.end(pattern(0, 1_000_000))
    await receiver.untilBytes(1_000_000)
    // Well before the FIN may come.
    expect(performance.now() - sentMs).toBeLessThan(400)
    expect(receiver.ending).toBe('open')
    expect(await receiver.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - sentMs, 500)
    expectPattern(receiver, 1_000_000)
    expect(sender.ending).toBe('open')
    expect(acts(proxied.network)).toEqual([{ action: 'delay_close', detail: { delayMs: 500 } }])
  })

  test.concurrent('leaves the FIN of the other direction alone', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.end('pong')
    // Within the 5 seconds that the wait allows.
    expect(await sender.untilEnded()).toBe('FIN')
    expect(sender.text).toBe('pong')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('does not delay RST', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('lets an RST of the other end through while it delays FIN', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end()
    await untilInjection(proxied.network, { fault: name })
    receiver.reset()
    expect(await sender.untilEnded()).toBe('ECONNRESET')
  })

  test.concurrent('lets question and answer of a half-closed connection through while FIN is on its way', async () => {
    await using proxied = await startProxied([slow(500)])
    const { client, server } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    client.end('question')
    await server.untilBytes(8)
    server.end('answer')
    await client.untilBytes(6)
    expect(performance.now() - sentMs).toBeLessThan(400)
    const { endings } = await untilBothEnded({ client, server, sender: client, receiver: server, number: 1 })
    expect(endings).toEqual(['FIN', 'FIN'])
    // One of the two ways has the fault.
    expectDelay(performance.now() - sentMs, 500)
    expect([server.text, client.text]).toEqual(['question', 'answer'])
  })

  test.concurrent('delays the close that another fault decides on, for both ends', async () => {
    const limit = { type: 'limit_data', direction, attributes: { bytes: 1000 } }
    await using proxied = await startProxied([limit, slow(500)])
    const ends = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    ends.sender.write(pattern(0, 3000))
    await ends.receiver.untilBytes(1000)
    expect(performance.now() - sentMs).toBeLessThan(400)
    const { endings, firstMs } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    expectDelay(firstMs - sentMs, 500)
    expectPattern(ends.receiver, 1000)
  })

  test.concurrent('added to a live connection, delays its FIN', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    proxied.proxy.addFault(slow(100))
    await receiver.untilBytes(10_000)
    flow.stop()
    const sentMs = performance.now()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - sentMs, 100)
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent('added after FIN has passed, has nothing left to delay', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end()
    await receiver.untilEnded()
    proxied.proxy.addFault(slow(60_000))
    receiver.end('answer')
    expect(await sender.untilEnded()).toBe('FIN')
    expect(sender.text).toBe('answer')
    // Both ends are closed, so the connection is gone.
    await expect.poll(() => proxied.proxy.connections.size, { interval: 1 }).toBe(0)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('passes FIN on at once when removed', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end('last words')
    await untilInjection(proxied.network, { fault: name })
    const removedMs = performance.now()
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe('FIN')
    expect(performance.now() - removedMs).toBeLessThan(SLACK_MS)
    expect(receiver.text).toBe('last words')
  })

  test.concurrent('removed while data flows, loses nothing', async () => {
    await using proxied = await startProxied([slow(60_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    proxied.proxy.removeFault(name)
    await receiver.untilBytes(10_000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
  })

  test.concurrent.each([
    { from: 60_000, to: 200, dueMs: 200 },
    { from: 100, to: 300, dueMs: 300 },
  ])('changed from $from to $to ms, counts from when FIN came', async ({ from, to, dueMs }) => {
    await using proxied = await startProxied([slow(from)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    const sentMs = performance.now()
    sender.end()
    await untilInjection(proxied.network, { fault: name })
    proxied.proxy.updateFault(name, { attributes: { delay: to } })
    expect(await receiver.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - sentMs, dueMs)
  })

  test.concurrent('leaves an idle connection alone, without a timer', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([slow(100)], { clock })
    const { client, server, sender, receiver } = await connectEnds(proxied, direction)
    clock.advance(3_600_000)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(60)
    expect([client.ending, server.ending]).toEqual(['open', 'open'])
    expect(clock.pendingTimers).toBe(0)
    sender.write('x')
    await receiver.untilBytes(1)
  })

  testProbability(slow(20), direction)

  describe('stacked', () => {
    test.concurrent('two add up', async () => {
      await using proxied = await startProxied([
        { ...slow(60), name: 'near' },
        { ...slow(80), name: 'far' },
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end()
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 140)
    })

    test.concurrent('after a latency, delays FIN by both and data by the latency', async () => {
      await using proxied = await startProxied([
        { type: 'latency', direction, attributes: { latency: 100 } },
        slow(200),
      ])
      const { sender, receiver } = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      sender.end('data')
      await receiver.untilBytes(4)
      expectDelay(performance.now() - sentMs, 100)
      await receiver.untilEnded()
      expectDelay(performance.now() - sentMs, 300)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -HUGE])('%d ms is no delay', async (delay) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'slow_close', direction, { delay })
      const { sender, receiver } = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      sender.end(pattern(0, 1_000_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 1_000_000)
      expect(acts(proxied.network)).toEqual([])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([2 ** 53, HUGE])('%d ms holds FIN until removed', async (delay) => {
      const clock = new CountingClock()
      await using proxied = await startProxied([slow(delay)], { clock })
      const ends = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      ends.sender.end(pattern(0, 1_000_000))
      await ends.receiver.untilBytes(1_000_000)
      await untilInjection(proxied.network, { fault: name })
      await expectStandstill(ends, clock)
      proxied.proxy.removeFault(name)
      expect(await ends.receiver.untilEnded()).toBe('FIN')
      expectPattern(ends.receiver, 1_000_000)
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })
  })
})

describe('slow_close, to the millisecond', () => {
  test('holds FIN for the delay, not less and not more', () => {
    const isolated = new IsolatedStage('slow_close', { delay: 100 })
    isolated.write('data')
    isolated.clock.advance(7)
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['0 data', '107 end'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('forgets a held FIN when an RST comes', () => {
    const isolated = new IsolatedStage('slow_close', { delay: 100 })
    isolated.stage.end()
    isolated.clock.advance(50)
    isolated.stage.reset()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['50 reset'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('lets nothing through behind a close that it holds', () => {
    const isolated = new IsolatedStage('slow_close', { delay: 100 })
    isolated.write('data')
    isolated.stage.close()
    // From a fault in front that has destroyed bytes, said so by closing, and was removed: there is a gap before these.
    isolated.write('more')
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['0 data', '100 close'])
  })
})
