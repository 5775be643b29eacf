// Reset peer on the wire, both ways: RST at both ends, asserted by ECONNRESET.
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
  SLACK_MS,
  testProbability,
  untilBothEnded,
  untilTrue,
} from '../../support/stream-faults.ts'

/** With a timeout of 0 an idle connection gets this long; see reset-peer.ts. */
const IDLE_GRACE_MS = 50

describe.each(directions)('reset_peer, %s', (direction) => {
  const name = `reset_peer_${direction}`
  const after = (timeout: number) => ({ type: 'reset_peer', direction, attributes: { timeout } })
  const reset = { action: 'reset', detail: {} }

  test.concurrent('lets nothing through and resets both ends, on the dot', async () => {
    await using proxied = await startProxied([after(150)])
    const startMs = performance.now()
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    const { endings, firstMs } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    // It takes hold while the connection is being made: later than startMs, before connectEnds returns.
    expectDelay(firstMs - startMs, 150)
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([reset])
  })

  test.concurrent('resets an idle connection', async () => {
    await using proxied = await startProxied([after(100)])
    const startMs = performance.now()
    const { endings, firstMs } = await untilBothEnded(await connectEnds(proxied, direction))
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expectDelay(firstMs - startMs, 100)
    expect(acts(proxied.network)).toEqual([reset])
  })

  test.concurrent('at 0 resets with the first byte', async () => {
    // A clock that stands still: it is the byte that does it.
    await using proxied = await startProxied([after(0)], { clock: new ManualClock() })
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([reset])
  })

  test.concurrent('at 0 resets an idle connection after a grace', async () => {
    await using proxied = await startProxied([after(0)])
    const startMs = performance.now()
    const { endings, firstMs } = await untilBothEnded(await connectEnds(proxied, direction))
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expectDelay(firstMs - startMs, IDLE_GRACE_MS)
  })

  test.concurrent('lets the other direction through until then', async () => {
    await using proxied = await startProxied([after(200)])
    const ends = await connectEnds(proxied, direction)
    ends.receiver.write('pong')
    await ends.sender.untilBytes(4)
    expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(ends.sender.text).toBe('pong')
  })

  test.concurrent('lets no FIN through before the RST', async () => {
    await using proxied = await startProxied([after(100)])
    const startMs = performance.now()
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end('lost')
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expectDelay(performance.now() - startMs, 100)
    expect(receiver.receivedBytes).toBe(0)
  })

  test.concurrent('resets a half-closed connection at both ends', async () => {
    await using proxied = await startProxied([after(150)])
    const startMs = performance.now()
    const { client, server } = await connectEnds(proxied, direction)
    client.end('question')
    if (direction === 'downstream') expect(await server.untilEnded()).toBe('FIN')
    else server.write('answer')
    await client.until(() => client.ending === 'ECONNRESET', 'the RST')
    expectDelay(performance.now() - startMs, 150)
    if (direction === 'upstream') {
      expect(client.text).toBe('answer')
      expect(await server.untilEnded()).toBe('ECONNRESET')
    } else {
      expect(server.text).toBe('question')
      // A socket that has had its FIN waits for nothing more: the RST shows in the very next write. Linux calls it
      // EPIPE there; without an RST that write would succeed.
      server.write('answer')
      await server.until(() => server.ending === 'EPIPE', 'the RST')
    }
  })

  test.concurrent('takes hold of a live connection while data flows, and counts from then', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender)
    await ends.receiver.untilBytes(5000)
    const addedMs = performance.now()
    proxied.proxy.addFault(after(150))
    await ends.receiver.until(() => ends.receiver.ending === 'ECONNRESET', 'the RST')
    expectDelay(performance.now() - addedMs, 150)
    flow.stop()
    // A sender that was about to write may learn of it from that write.
    expect(['ECONNRESET', 'EPIPE']).toContain(await ends.sender.untilEnded())
    expectPattern(ends.receiver, ends.receiver.receivedBytes)
    expect(ends.receiver.receivedBytes).toBeLessThan(flow.sentBytes)
    expect(acts(proxied.network)).toEqual([reset])
  })

  test.concurrent('at 0, added to a live connection, resets with the next byte', async () => {
    await using proxied = await startProxied([], { clock: new ManualClock() })
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('before')
    await ends.receiver.untilBytes(6)
    proxied.proxy.addFault(after(0))
    ends.sender.write('after')
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(ends.receiver.text).toBe('before')
  })

  test.concurrent('removed in time, has lost nothing', async () => {
    await using proxied = await startProxied([after(60_000)])
    const ends = await connectEnds(proxied, direction)
    const { sender, receiver } = ends
    using flow = new Flow(sender, { pieceBytes: 5000, everyMs: 1 })
    await untilTrue(() => heldBytes(proxied.proxy) > 100_000, '100 KB to be held')
    expect(receiver.receivedBytes).toBe(0)
    proxied.proxy.removeFault(name)
    expect(heldBytes(proxied.proxy)).toBe(0)
    await receiver.untilBytes(100_000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
    receiver.end('answer')
    expect(await sender.untilEnded()).toBe('FIN')
    expect(sender.text).toBe('answer')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('removed in time from an idle connection, does not reset it later', async () => {
    await using proxied = await startProxied([after(100)])
    const ends = await connectEnds(proxied, direction)
    proxied.proxy.removeFault(name)
    // Past the time at which it would have acted.
    await observe(150)
    ends.sender.end('x')
    expect(await ends.receiver.untilEnded()).toBe('FIN')
    expect(ends.receiver.text).toBe('x')
  })

  test.concurrent('slows the sender down rather than hold without bound', async () => {
    await using proxied = await startProxied([after(60_000)], { maxHeldBytes: 1_000_000 })
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 16_000_000))
    await untilTrue(() => proxied.proxy.counters.heldLimitsReached > 0, 'the limit to be reached')
    await observe(50)
    // The limit and the reads that crossed it, of 256 KiB at most.
    expect(proxied.proxy.traffic[direction].receivedBytes).toBeLessThan(1_000_000 + 2 * 262_144)
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 16_000_000)
  })

  test.concurrent.each([
    { from: 60_000, to: 200, dueMs: 200 },
    { from: 100, to: 300, dueMs: 300 },
  ])('changed from $from to $to ms, counts from when it took hold', async ({ from, to, dueMs }) => {
    await using proxied = await startProxied([after(from)])
    const startMs = performance.now()
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    proxied.proxy.updateFault(name, { attributes: { timeout: to } })
    const { endings, firstMs } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expectDelay(firstMs - startMs, dueMs)
    expect(ends.receiver.receivedBytes).toBe(0)
  })

  test.concurrent('changed to a time that has passed, resets at once', async () => {
    await using proxied = await startProxied([after(60_000)])
    const ends = await connectEnds(proxied, direction)
    await observe(60)
    const changedMs = performance.now()
    proxied.proxy.updateFault(name, { attributes: { timeout: 50 } })
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(performance.now() - changedMs).toBeLessThan(SLACK_MS)
  })

  test.concurrent.each([0, 20])('does not act at probability 0 with timeout %d, also when idle', async (timeout) => {
    // Toxiproxy resets all connections when the toxicity is 0 (its issue 603).
    await using proxied = await startProxied([{ ...after(timeout), probability: 0 }])
    const ends = await connectEnds(proxied, direction)
    // Past the timeout and the grace.
    await observe(IDLE_GRACE_MS + 50)
    expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
    ends.sender.end('x')
    expect(await ends.receiver.untilEnded()).toBe('FIN')
    ends.receiver.end('y')
    expect(await ends.sender.untilEnded()).toBe('FIN')
    expect([ends.receiver.text, ends.sender.text]).toEqual(['x', 'y'])
    expect(acts(proxied.network)).toEqual([])
  })

  testProbability(after(0), direction)

  describe('stacked', () => {
    test.concurrent('before a latency, resets later by that, and once', async () => {
      await using proxied = await startProxied([after(0), { type: 'latency', direction, attributes: { latency: 150 } }])
      const ends = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      using flow = new Flow(ends.sender, { everyMs: 10 })
      const { receiver } = ends
      await receiver.until(() => receiver.ending === 'ECONNRESET', 'the RST')
      flow.stop()
      expectDelay(performance.now() - sentMs, 150)
      expect(receiver.receivedBytes).toBe(0)
      expect(acts(proxied.network, name)).toEqual([reset])
    })

    test.concurrent('before a slow_close, is not delayed: RST is not a close', async () => {
      await using proxied = await startProxied([
        after(0),
        { type: 'slow_close', direction, attributes: { delay: 60_000 } },
      ])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write('lost')
      const { endings } = await untilBothEnded(ends)
      expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    })

    test.concurrent('behind a limit_data, turns the close into an RST', async () => {
      const limit = { type: 'limit_data', direction, attributes: { bytes: 2 } }
      await using proxied = await startProxied([limit, after(100)])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write('lost')
      const { endings } = await untilBothEnded(ends)
      expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
      expect(ends.receiver.receivedBytes).toBe(0)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -HUGE])('%d ms resets with the first byte, or after the grace', async (timeout) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'reset_peer', direction, { timeout })
      const startMs = performance.now()
      const [busy, idle] = [await connectEnds(proxied, direction), await connectEnds(proxied, direction)]
      using lag = new LagWatch()
      busy.sender.write('x')
      expect((await untilBothEnded(busy)).endings).toEqual(['ECONNRESET', 'ECONNRESET'])
      const { endings, firstMs } = await untilBothEnded(idle)
      expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
      expectDelay(firstMs - startMs, IDLE_GRACE_MS)
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([2 ** 53, HUGE])(
      '%d ms is never: nothing passes, and nothing is lost when removed',
      async (timeout) => {
        const clock = new CountingClock()
        await using proxied = await startProxied([after(timeout)], { clock })
        const ends = await connectEnds(proxied, direction)
        using lag = new LagWatch()
        ends.sender.end(pattern(0, 1_000_000))
        await untilTrue(() => heldBytes(proxied.proxy) >= 1_000_000, 'all bytes to be held')
        await expectStandstill(ends, clock)
        expect(ends.receiver.receivedBytes).toBe(0)
        proxied.proxy.removeFault(name)
        expect(await ends.receiver.untilEnded()).toBe('FIN')
        expectPattern(ends.receiver, 1_000_000)
        expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
      },
    )
  })
})

describe('reset_peer, to the millisecond', () => {
  test('resets on time, and leaves no timer', () => {
    const isolated = new IsolatedStage('reset_peer', { timeout: 100 })
    isolated.clock.advance(30)
    isolated.write('lost')
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['100 reset'])
    expect(isolated.stage.heldBytes).toBe(0)
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test.each([0, 100])('with timeout %d resets once, whatever comes afterwards', (timeout) => {
    const isolated = new IsolatedStage('reset_peer', { timeout })
    isolated.write('first')
    isolated.clock.advance(200)
    isolated.write('second')
    isolated.stage.update({ timeout: timeout + 50 })
    isolated.write('third')
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.stage.heldBytes).toBe(0)
    isolated.stage.remove()
    expect(isolated.log).toEqual([`${timeout} reset`])
    expect(isolated.acts).toHaveLength(1)
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('changed from 0 to a time, holds instead of resetting with the first byte', () => {
    const isolated = new IsolatedStage('reset_peer', { timeout: 0 })
    isolated.stage.update({ timeout: 100 })
    isolated.write('held')
    isolated.clock.advance(99)
    expect(isolated.log).toEqual([])
    isolated.stage.remove()
    expect(isolated.log).toEqual(['99 held'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })
})
