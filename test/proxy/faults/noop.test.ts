// The fault that does nothing: everything must look as if it were not there.
import { describe, expect, test } from 'vitest'
import { startProxied } from '../../support/proxied.ts'
import {
  acts,
  connectEnds,
  directions,
  expectPattern,
  Flow,
  LagWatch,
  observe,
  pattern,
} from '../../support/stream-faults.ts'

describe.each(directions)('noop, %s', (direction) => {
  const fault = { type: 'noop', direction }

  test.concurrent('passes bytes on unchanged and in order, and FIN after them', async () => {
    await using proxied = await startProxied([fault])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 4_000_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 4_000_000)
    expect(sender.ending).toBe('open')
  })

  test.concurrent('lets the answer through after FIN', async () => {
    await using proxied = await startProxied([fault])
    const { client, server } = await connectEnds(proxied, direction)
    client.end('question')
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe('question')
    server.end('answer')
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toBe('answer')
  })

  test.concurrent('passes RST on as RST', async () => {
    await using proxied = await startProxied([fault])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
  })

  test.concurrent('leaves an idle connection alone', async () => {
    await using proxied = await startProxied([fault])
    const { client, server, sender, receiver } = await connectEnds(proxied, direction)
    // Longer than any grace that another fault gives an idle connection (reset_peer: 50 ms).
    await observe(100)
    expect([client.ending, server.ending]).toEqual(['open', 'open'])
    sender.write('late')
    await receiver.untilBytes(4)
    expect(receiver.text).toBe('late')
  })

  test.concurrent('comes and goes on a live connection without touching a byte, and without a record', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    for (let round = 1; round <= 20; round++) {
      proxied.proxy.addFault(fault)
      await receiver.untilBytes(round * 2000)
      proxied.proxy.updateFault(`noop_${direction}`, { probability: round / 20 })
      await receiver.untilBytes(round * 2000 + 500)
      proxied.proxy.removeFault(`noop_${direction}`)
    }
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, flow.sentBytes)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('keeps its place between other faults without disturbing them', async () => {
    const slicer = { type: 'slicer', direction, attributes: { average_size: 100 } }
    const limit = { type: 'limit_data', direction, attributes: { bytes: 1000 } }
    await using proxied = await startProxied([slicer, fault, limit])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write(pattern(0, 3000))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 1000)
    const types = proxied.network.injections.entries().map(({ type }) => type)
    expect(new Set(types)).toEqual(new Set(['slicer', 'limit_data']))
  })

  test.concurrent.each([0, 0.5, 1])('does nothing at probability %d', async (probability) => {
    await using proxied = await startProxied([{ ...fault, probability }])
    for (let connection = 0; connection < 4; connection++) {
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end('x')
      expect(await receiver.untilEnded()).toBe('FIN')
      expect(receiver.text).toBe('x')
    }
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('has no attributes that could be absurd', async () => {
    await using proxied = await startProxied()
    const absurd = { ...fault, attributes: { latency: -1 } }
    expect(() => proxied.proxy.addFault(absurd)).toThrow('attributes.latency: unknown field')
  })

  test('costs the event loop nothing while data flows', async () => {
    await using proxied = await startProxied([fault])
    const { sender, receiver } = await connectEnds(proxied, direction)
    using lag = new LagWatch()
    sender.end(pattern(0, 16_000_000))
    await receiver.untilEnded()
    expectPattern(receiver, 16_000_000)
    expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
  })
})
