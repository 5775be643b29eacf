// Timeout on the wire, both ways: nothing arrives any more, and in the end FIN does, at both ends.
import { describe, expect, test } from 'vitest'
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

describe.each(directions)('timeout, %s', (direction) => {
  const name = `timeout_${direction}`
  const after = (timeout: number) => ({ type: 'timeout', direction, attributes: { timeout } })

  test.concurrent('lets nothing through and closes both ends by FIN, on the dot', async () => {
    await using proxied = await startProxied([after(150)])
    const startMs = performance.now()
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    const { endings, firstMs } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    // It takes hold while the connection is being made: later than startMs, before connectEnds returns.
    expectDelay(firstMs - startMs, 150)
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([
      { action: 'drop', detail: {} },
      { action: 'close', detail: {} },
    ])
  })

  test.concurrent('closes an idle connection', async () => {
    await using proxied = await startProxied([after(100)])
    const startMs = performance.now()
    const { endings, firstMs } = await untilBothEnded(await connectEnds(proxied, direction))
    expect(endings).toEqual(['FIN', 'FIN'])
    expectDelay(firstMs - startMs, 100)
    expect(acts(proxied.network)).toEqual([{ action: 'close', detail: {} }])
  })

  test.concurrent('does not start anew with each chunk', async () => {
    await using proxied = await startProxied([after(200)])
    const startMs = performance.now()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender, { everyMs: 10 })
    const { firstMs } = await untilBothEnded(ends)
    flow.stop()
    // Toxiproxy's would go on for as long as there is data.
    expectDelay(firstMs - startMs, 200)
    expect(ends.receiver.receivedBytes).toBe(0)
  })

  test.concurrent('lets the other direction through until then', async () => {
    await using proxied = await startProxied([after(200)])
    const ends = await connectEnds(proxied, direction)
    ends.receiver.write('pong')
    await ends.sender.untilBytes(4)
    expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    expect(ends.sender.text).toBe('pong')
  })

  test.concurrent('at 0 never closes, until removed', async () => {
    await using proxied = await startProxied([after(0)])
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    await untilInjection(proxied.network, { action: 'drop' })
    // Longer than any grace that another fault gives a connection (reset_peer: 50 ms).
    await observe(100)
    expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
    const removedMs = performance.now()
    proxied.proxy.removeFault(name)
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    expect(performance.now() - removedMs).toBeLessThan(SLACK_MS)
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([
      { action: 'drop', detail: {} },
      { action: 'close', detail: {} },
    ])
  })

  test.concurrent('swallows FIN and RST of the sender, and still closes', async () => {
    for (const how of ['end', 'reset'] as const) {
      await using proxied = await startProxied([after(100)])
      const startMs = performance.now()
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender[how]()
      // An RST that came through would be told from the FIN; a FIN that came through would be early.
      expect(await receiver.untilEnded()).toBe('FIN')
      expectDelay(performance.now() - startMs, 100)
    }
  })

  test.concurrent('stops the question or the answer of a half-closed connection, and closes it', async () => {
    await using proxied = await startProxied([after(150)])
    const startMs = performance.now()
    const { client, server, receiver } = await connectEnds(proxied, direction)
    client.end('question')
    server.write('answer')
    expect(await client.untilEnded()).toBe('FIN')
    expectDelay(performance.now() - startMs, 150)
    expect(await server.untilEnded()).toBe('FIN')
    expect(receiver.receivedBytes).toBe(0)
    expect(receiver === client ? server.text : client.text).toBe(receiver === client ? 'question' : 'answer')
  })

  test.concurrent('takes hold of a live connection while data flows, and counts from then', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender)
    await ends.receiver.untilBytes(5000)
    const addedMs = performance.now()
    proxied.proxy.addFault(after(150))
    const { endings, firstMs } = await untilBothEnded(ends)
    flow.stop()
    expect(endings).toEqual(['FIN', 'FIN'])
    expectDelay(firstMs - addedMs, 150)
    const { receivedBytes } = ends.receiver
    expectPattern(ends.receiver, receivedBytes)
    // Data flowed at 250 KB/s, so 150 ms of it are missing.
    expect(receivedBytes).toBeLessThan(flow.sentBytes)
  })

  test.concurrent('removed while data flows, closes without passing on what came after the gap', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender)
    await ends.receiver.untilBytes(5000)
    proxied.proxy.addFault(after(0))
    await untilInjection(proxied.network, { action: 'drop' })
    proxied.proxy.removeFault(name)
    const { endings } = await untilBothEnded(ends)
    flow.stop()
    expect(endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, ends.receiver.receivedBytes)
  })

  test.concurrent('closes an idle connection when removed: bytes may have been lost', async () => {
    await using proxied = await startProxied([after(60_000)])
    const ends = await connectEnds(proxied, direction)
    proxied.proxy.removeFault(name)
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
  })

  test.concurrent.each([
    { from: 60_000, to: 200, dueMs: 200 },
    { from: 100, to: 300, dueMs: 300 },
    { from: 0, to: 200, dueMs: 200 },
  ])('changed from $from to $to ms, counts from when it took hold', async ({ from, to, dueMs }) => {
    await using proxied = await startProxied([after(from)])
    const startMs = performance.now()
    const ends = await connectEnds(proxied, direction)
    proxied.proxy.updateFault(name, { attributes: { timeout: to } })
    const { endings, firstMs } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    expectDelay(firstMs - startMs, dueMs)
  })

  test.concurrent('changed to a time that has passed, closes at once', async () => {
    await using proxied = await startProxied([after(60_000)])
    const ends = await connectEnds(proxied, direction)
    await observe(60)
    const changedMs = performance.now()
    proxied.proxy.updateFault(name, { attributes: { timeout: 50 } })
    await untilBothEnded(ends)
    expect(performance.now() - changedMs).toBeLessThan(SLACK_MS)
  })

  test.concurrent('gives each connection its own time', async () => {
    await using proxied = await startProxied([after(200)])
    const firstStartMs = performance.now()
    const first = await connectEnds(proxied, direction)
    await observe(100)
    const secondStartMs = performance.now()
    const second = await connectEnds(proxied, direction)
    const ended = await Promise.all([untilBothEnded(first), untilBothEnded(second)])
    expectDelay(ended[0].firstMs - firstStartMs, 200)
    expectDelay(ended[1].firstMs - secondStartMs, 200)
  })

  testProbability(after(0), direction)

  describe('stacked', () => {
    test.concurrent.each([
      { type: 'slow_close', attributes: { delay: 100 } },
      { type: 'latency', attributes: { latency: 100 } },
    ])('before $type, closes later by its delay', async (behind) => {
      await using proxied = await startProxied([after(100), { ...behind, direction }])
      const startMs = performance.now()
      const ends = await connectEnds(proxied, direction)
      ends.sender.write('lost')
      const { endings, firstMs } = await untilBothEnded(ends)
      expect(endings).toEqual(['FIN', 'FIN'])
      expectDelay(firstMs - startMs, 200)
      expect(ends.receiver.receivedBytes).toBe(0)
    })

    test.concurrent('behind a latency, closes on its own time and swallows what comes late', async () => {
      await using proxied = await startProxied([
        { type: 'latency', direction, attributes: { latency: 100 } },
        after(200),
      ])
      const startMs = performance.now()
      const ends = await connectEnds(proxied, direction)
      ends.sender.write('lost')
      const { firstMs } = await untilBothEnded(ends)
      expectDelay(firstMs - startMs, 200)
      expect(ends.receiver.receivedBytes).toBe(0)
    })

    test.concurrent('removed before a slow_close, lets nothing through behind the gap while that delays the close', async () => {
      const slowClose = { type: 'slow_close', direction, attributes: { delay: 100 } }
      await using proxied = await startProxied([after(0), slowClose])
      const ends = await connectEnds(proxied, direction)
      using flow = new Flow(ends.sender)
      await untilInjection(proxied.network, { action: 'drop' })
      proxied.proxy.removeFault(name)
      const { endings } = await untilBothEnded(ends)
      flow.stop()
      expect(endings).toEqual(['FIN', 'FIN'])
      expect(ends.receiver.receivedBytes).toBe(0)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -HUGE, 2 ** 53, HUGE])('%d ms is never', async (timeout) => {
      const clock = new CountingClock()
      await using proxied = await startProxied([], { clock })
      addUnchecked(proxied.proxy, 'timeout', direction, { timeout })
      const ends = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      ends.sender.write(pattern(0, 1_000_000))
      await expect.poll(() => proxied.proxy.traffic[direction].receivedBytes, { interval: 1 }).toBe(1_000_000)
      await expectStandstill(ends, clock)
      expect(ends.receiver.receivedBytes).toBe(0)
      proxied.proxy.removeFault(name)
      const { endings } = await untilBothEnded(ends)
      expect(endings).toEqual(['FIN', 'FIN'])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })
  })
})

describe('timeout, to the millisecond', () => {
  test('closes on time whatever comes meanwhile', () => {
    const isolated = new IsolatedStage('timeout', { timeout: 100 })
    for (let message = 0; message < 9; message++) {
      isolated.clock.advance(10)
      isolated.write('lost')
    }
    isolated.stage.end()
    isolated.clock.advance(1000)
    expect(isolated.log).toEqual(['100 close'])
    expect(isolated.acts.map(({ atMs, action }) => `${atMs} ${action}`)).toEqual(['10 drop', '100 close'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })

  test('closes once, also when changed or removed afterwards', () => {
    const isolated = new IsolatedStage('timeout', { timeout: 100 })
    isolated.clock.advance(100)
    isolated.stage.update({ timeout: 200 })
    isolated.write('late')
    isolated.clock.advance(1000)
    isolated.stage.remove()
    expect(isolated.log).toEqual(['100 close'])
    expect(isolated.acts).toHaveLength(1)
  })
})
