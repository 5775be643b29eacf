// Limit data on the wire, both ways: so many bytes, and then the end, at both ends.
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
  testProbability,
  untilBothEnded,
  untilInjection,
} from '../../support/stream-faults.ts'

describe.each(directions)('limit_data, %s', (direction) => {
  const name = `limit_data_${direction}`
  const limit = (bytes: number) => ({ type: 'limit_data', direction, attributes: { bytes } })

  test.concurrent.each([
    { bytes: 1, offered: 2 },
    { bytes: 1000, offered: 1000 },
    { bytes: 1000, offered: 100_000 },
    { bytes: 700_001, offered: 4_000_000 },
  ])('lets exactly $bytes of $offered bytes through, then closes both ends by FIN', async ({ bytes, offered }) => {
    await using proxied = await startProxied([limit(bytes)])
    const ends = await connectEnds(proxied, direction)
    ends.sender.write(pattern(0, offered))
    const { endings } = await untilBothEnded(ends)
    expect(endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, bytes)
    expect(acts(proxied.network)).toEqual([{ action: 'close', detail: { offset: bytes } }])
  })

  test.concurrent('counts across chunks, and cuts the last one', async () => {
    await using proxied = await startProxied([limit(1234)])
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender, { pieceBytes: 100 })
    const { endings } = await untilBothEnded(ends)
    flow.stop()
    expect(endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, 1234)
  })

  test.concurrent('does not act on a stream that ends before the limit', async () => {
    await using proxied = await startProxied([limit(1000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 999))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 999)
    expect(sender.ending).toBe('open')
    receiver.end('answer')
    expect(await sender.untilEnded()).toBe('FIN')
    expect(sender.text).toBe('answer')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('does not count the other direction', async () => {
    await using proxied = await startProxied([limit(10)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.write(pattern(0, 1_000_000))
    await sender.untilBytes(1_000_000)
    sender.end('answer')
    expect(await receiver.untilEnded()).toBe('FIN')
    expect(receiver.text).toBe('answer')
    expectPattern(sender, 1_000_000)
  })

  test.concurrent('passes RST on', async () => {
    await using proxied = await startProxied([limit(1000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('limits question or answer of a half-closed connection', async () => {
    await using proxied = await startProxied([limit(7)])
    const ends = await connectEnds(proxied, direction)
    const { client, server } = ends
    client.end('question')
    if (direction === 'downstream') {
      await server.untilEnded()
      server.write('the answer')
    }
    expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    expect(ends.receiver.text).toBe(direction === 'upstream' ? 'questio' : 'the ans')
  })

  test.concurrent('at the limit exactly, closes without waiting for a byte more', async () => {
    await using proxied = await startProxied([limit(8)])
    const { client, server, receiver } = await connectEnds(proxied, direction)
    client.write('question')
    server.write('answer!!')
    expect(await receiver.untilEnded()).toBe('FIN')
    expect(receiver.text).toBe(direction === 'upstream' ? 'question' : 'answer!!')
  })

  test.concurrent('leaves an idle connection open, also at 0: there is nothing to limit yet', async () => {
    await using proxied = await startProxied([limit(0)])
    const ends = await connectEnds(proxied, direction)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(100)
    expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
    ends.sender.write('x')
    expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    expect(ends.receiver.receivedBytes).toBe(0)
  })

  test.concurrent('added to a live connection, counts from then', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    ends.sender.write(pattern(0, 500))
    await ends.receiver.untilBytes(500)
    proxied.proxy.addFault(limit(300))
    ends.sender.write(pattern(500, 1500))
    expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, 800)
    expect(acts(proxied.network)).toEqual([{ action: 'close', detail: { offset: 300 } }])
  })

  test.concurrent('added while data flows, ends it without a gap', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender)
    await ends.receiver.untilBytes(5000)
    const readBytes = proxied.proxy.traffic[direction].receivedBytes
    proxied.proxy.addFault(limit(5000))
    const { endings } = await untilBothEnded(ends)
    flow.stop()
    expect(endings).toEqual(['FIN', 'FIN'])
    // What the proxy had read before was not limited.
    expectPattern(ends.receiver, readBytes + 5000)
  })

  test.concurrent('removed in time, lets everything through', async () => {
    await using proxied = await startProxied([limit(100_000)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    proxied.proxy.removeFault(name)
    await receiver.untilBytes(110_000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('keeps its count when changed', async () => {
    await using proxied = await startProxied([limit(100_000)])
    const ends = await connectEnds(proxied, direction)
    ends.sender.write(pattern(0, 600))
    await ends.receiver.untilBytes(600)
    proxied.proxy.updateFault(name, { attributes: { bytes: 800 } })
    ends.sender.write(pattern(600, 1600))
    expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, 800)
    expect(acts(proxied.network)).toEqual([{ action: 'close', detail: { offset: 800 } }])
  })

  test.concurrent('changed to less than has passed, closes with the next byte and passes none', async () => {
    await using proxied = await startProxied([limit(100_000)])
    const ends = await connectEnds(proxied, direction)
    ends.sender.write(pattern(0, 600))
    await ends.receiver.untilBytes(600)
    proxied.proxy.updateFault(name, { attributes: { bytes: 500 } })
    ends.sender.write(pattern(600, 700))
    expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    expectPattern(ends.receiver, 600)
  })

  testProbability(limit(0), direction)

  describe('stacked', () => {
    test.concurrent('before a latency, data and FIN arrive after the delay, in order', async () => {
      await using proxied = await startProxied([
        limit(1000),
        { type: 'latency', direction, attributes: { latency: 150 } },
      ])
      const ends = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      ends.sender.write(pattern(0, 5000))
      await ends.receiver.untilBytes(1000)
      expectDelay(performance.now() - sentMs, 150)
      const { endings, firstMs } = await untilBothEnded(ends)
      expect(endings).toEqual(['FIN', 'FIN'])
      expectDelay(firstMs - sentMs, 150)
      expectPattern(ends.receiver, 1000)
    })

    test.concurrent('before a bandwidth, all bytes within the limit arrive before FIN', async () => {
      await using proxied = await startProxied([
        limit(10_000),
        { type: 'bandwidth', direction, attributes: { rate: 100 } },
      ])
      const ends = await connectEnds(proxied, direction)
      const sentMs = performance.now()
      ends.sender.write(pattern(0, 1_000_000))
      const { endings, firstMs } = await untilBothEnded(ends)
      expect(endings).toEqual(['FIN', 'FIN'])
      expectDelay(firstMs - sentMs, 100)
      expectPattern(ends.receiver, 10_000)
    })

    test.concurrent('the lower of two limits counts', async () => {
      await using proxied = await startProxied([
        { ...limit(2000), name: 'high' },
        { ...limit(1000), name: 'low' },
      ])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write(pattern(0, 1500))
      expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
      expectPattern(ends.receiver, 1000)
      expect(proxied.network.injections.entries().map(({ fault }) => fault)).toEqual(['low'])
    })

    test.concurrent('removed after it has closed, lets nothing through behind the gap while slow_close delays the close', async () => {
      await using proxied = await startProxied([
        limit(1000),
        { type: 'slow_close', direction, attributes: { delay: 100 } },
      ])
      const ends = await connectEnds(proxied, direction)
      using flow = new Flow(ends.sender, { pieceBytes: 700 })
      await untilInjection(proxied.network, { fault: name })
      proxied.proxy.removeFault(name)
      const { endings } = await untilBothEnded(ends)
      flow.stop()
      expect(endings).toEqual(['FIN', 'FIN'])
      expectPattern(ends.receiver, 1000)
    })
  })

  describe('with absurd attributes', () => {
    const HUGE = 9e18

    test.concurrent.each([0, -1, -(2 ** 53), -HUGE])('%d bytes is none: closes with the first byte', async (bytes) => {
      await using proxied = await startProxied()
      addUnchecked(proxied.proxy, 'limit_data', direction, { bytes })
      const ends = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      ends.sender.write(pattern(0, 1_000_000))
      expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
      expect(ends.receiver.receivedBytes).toBe(0)
      expect(acts(proxied.network)).toEqual([{ action: 'close', detail: { offset: 0 } }])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })

    test.concurrent.each([2 ** 53, HUGE])('%d bytes is no limit', async (bytes) => {
      const clock = new CountingClock()
      await using proxied = await startProxied([limit(bytes)], { clock })
      const ends = await connectEnds(proxied, direction)
      using lag = new LagWatch()
      ends.sender.write(pattern(0, 4_000_000))
      await ends.receiver.untilBytes(4_000_000)
      await expectStandstill(ends, clock)
      ends.sender.end()
      expect(await ends.receiver.untilEnded()).toBe('FIN')
      expectPattern(ends.receiver, 4_000_000)
      expect(acts(proxied.network)).toEqual([])
      expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
    })
  })
})

describe('limit_data, to the byte', () => {
  test('passes the same bytes however they are cut into chunks', () => {
    for (const chunkBytes of [1, 2, 3, 50, 99, 100, 101, 1000]) {
      const isolated = new IsolatedStage('limit_data', { bytes: 100 })
      for (let offset = 0; offset < 300; offset += chunkBytes) isolated.write(pattern(offset, offset + chunkBytes))
      isolated.stage.end()
      expect(isolated.bytes.equals(pattern(0, 100))).toBe(true)
      const signals = isolated.passed.flatMap(({ item }) => (typeof item === 'string' ? [item] : []))
      expect(signals).toEqual(['close'])
      expect(isolated.acts).toHaveLength(1)
    }
  })

  test('stays closed when the limit is raised afterwards', () => {
    const isolated = new IsolatedStage('limit_data', { bytes: 3 })
    isolated.write('abcdef')
    isolated.stage.update({ bytes: 100 })
    isolated.write('ghi')
    expect(isolated.log).toEqual(['0 abc', '0 close'])
  })
})
