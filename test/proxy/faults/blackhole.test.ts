// Blackhole on the wire, both ways: nothing arrives, nobody is told, and the end shows whether bytes are missing.
import { describe, expect, test } from 'vitest'
import { IsolatedStage } from '../../support/isolated-stage.ts'
import { startProxied } from '../../support/proxied.ts'
import {
  acts,
  connectEnds,
  CountingClock,
  directions,
  expectPattern,
  expectStandstill,
  Flow,
  LagWatch,
  observe,
  pattern,
  testProbability,
  untilBothEnded,
  untilInjection,
  untilTrue,
} from '../../support/stream-faults.ts'

const DROP = { action: 'drop', detail: {} }
const dropped = (signal: string) => ({ action: 'drop', detail: { signal } })

describe.each(directions)('blackhole, %s', (direction) => {
  const name = `blackhole_${direction}`
  const hole = { type: 'blackhole', direction }

  test.concurrent('swallows all it gets without slowing the sender down, and holds nothing', async () => {
    const clock = new CountingClock()
    await using proxied = await startProxied([hole], { clock })
    const ends = await connectEnds(proxied, direction)
    using lag = new LagWatch()
    ends.sender.write(pattern(0, 8_000_000))
    await untilTrue(() => proxied.proxy.traffic[direction].receivedBytes === 8_000_000, 'all bytes to be read')
    await expectStandstill(ends, clock)
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([DROP])
    expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
  })

  test.concurrent('lets the other direction through, its FIN too', async () => {
    await using proxied = await startProxied([hole])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.write('lost')
    receiver.end(pattern(0, 100_000))
    expect(await sender.untilEnded()).toBe('FIN')
    expectPattern(sender, 100_000)
  })

  test.concurrent.each([
    { how: 'end', signal: 'end' },
    { how: 'reset', signal: 'reset' },
  ] as const)("swallows the sender's $signal", async ({ how, signal }) => {
    await using proxied = await startProxied([hole])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender[how]()
    await untilInjection(proxied.network, { action: 'drop' })
    // An end that is passed on arrives within a turn of the loop.
    await observe(50)
    expect(receiver.ending).toBe('open')
    expect(acts(proxied.network)).toEqual([dropped(signal)])
  })

  test.concurrent('resets both ends when removed after it has swallowed data', async () => {
    await using proxied = await startProxied([hole])
    const ends = await connectEnds(proxied, direction)
    ends.sender.write('lost')
    await untilInjection(proxied.network, { action: 'drop' })
    proxied.proxy.removeFault(name)
    expect((await untilBothEnded(ends)).endings).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(ends.receiver.receivedBytes).toBe(0)
    expect(acts(proxied.network)).toEqual([DROP, { action: 'reset', detail: { bytes: 4 } }])
  })

  test.concurrent('removed from an idle connection, lets it go on', async () => {
    await using proxied = await startProxied([hole])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.write('other way')
    await sender.untilBytes(9)
    proxied.proxy.removeFault(name)
    sender.end(pattern(0, 100_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    expectPattern(receiver, 100_000)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent.each([
    { how: 'end', ending: 'FIN' },
    { how: 'reset', ending: 'ECONNRESET' },
  ] as const)('passes a $ending that came alone on when removed', async ({ how, ending }) => {
    await using proxied = await startProxied([hole])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender[how]()
    await untilInjection(proxied.network, { action: 'drop' })
    proxied.proxy.removeFault(name)
    expect(await receiver.untilEnded()).toBe(ending)
  })

  test.concurrent('takes hold of a live connection while data flows, and lets nothing through behind the gap', async () => {
    await using proxied = await startProxied()
    const ends = await connectEnds(proxied, direction)
    using flow = new Flow(ends.sender)
    await ends.receiver.untilBytes(5000)
    const readBytes = proxied.proxy.traffic[direction].receivedBytes
    proxied.proxy.addFault(hole)
    await untilInjection(proxied.network, { action: 'drop' })
    proxied.proxy.removeFault(name)
    const { endings } = await untilBothEnded(ends)
    flow.stop()
    expect(endings).toContain('ECONNRESET')
    // RST may overtake what had been passed on before.
    expect(ends.receiver.receivedBytes).toBeLessThanOrEqual(readBytes)
    expectPattern(ends.receiver, ends.receiver.receivedBytes)
  })

  testProbability(hole, direction)

  describe('stacked', () => {
    test.concurrent('behind a limit_data, keeps its close back too', async () => {
      await using proxied = await startProxied([{ type: 'limit_data', direction, attributes: { bytes: 0 } }, hole])
      const ends = await connectEnds(proxied, direction)
      ends.sender.write('x')
      await untilInjection(proxied.network, { fault: name })
      await observe(50)
      expect([ends.client.ending, ends.server.ending]).toEqual(['open', 'open'])
      expect(acts(proxied.network, name)).toEqual([dropped('close')])
      proxied.proxy.removeFault(name)
      expect((await untilBothEnded(ends)).endings).toEqual(['FIN', 'FIN'])
    })

    test.concurrent('removed before a latency, resets later by that and lets nothing through meanwhile', async () => {
      await using proxied = await startProxied([hole, { type: 'latency', direction, attributes: { latency: 100 } }])
      const ends = await connectEnds(proxied, direction)
      using flow = new Flow(ends.sender)
      await untilInjection(proxied.network, { fault: name })
      proxied.proxy.removeFault(name)
      const { endings } = await untilBothEnded(ends)
      flow.stop()
      expect(endings).toEqual(['ECONNRESET', 'ECONNRESET'])
      expect(ends.receiver.receivedBytes).toBe(0)
    })
  })
})

test('blackhole in both directions swallows question and answer', async () => {
  await using proxied = await startProxied([{ type: 'blackhole', direction: 'both', name: 'hole' }])
  const { client, server } = await proxied.connect()
  client.write('question')
  server.write('answer')
  await untilTrue(() => acts(proxied.network).length === 2, 'an act each way')
  expect([client.receivedBytes, server.receivedBytes]).toEqual([0, 0])
  proxied.proxy.removeFault('hole')
  expect([await client.untilEnded(), await server.untilEnded()]).toEqual(['ECONNRESET', 'ECONNRESET'])
})

describe('blackhole, by itself', () => {
  test('sets no timer, holds nothing, and passes on the last of several ends', () => {
    const isolated = new IsolatedStage('blackhole', {})
    isolated.stage.end()
    isolated.stage.reset()
    isolated.stage.update({})
    isolated.clock.advance(3_600_000)
    expect([isolated.clock.pendingTimers, isolated.stage.heldBytes, isolated.stage.full]).toEqual([0, 0, false])
    expect(isolated.log).toEqual([])
    isolated.stage.remove()
    expect(isolated.log).toEqual(['3600000 reset'])
  })

  test('resets instead of a FIN when bytes before it are missing', () => {
    const isolated = new IsolatedStage('blackhole', {})
    isolated.write('lost')
    isolated.write('too')
    isolated.stage.end()
    isolated.stage.remove()
    expect(isolated.log).toEqual(['0 reset'])
    expect(isolated.acts.map(({ action, detail }) => ({ action, detail }))).toEqual([
      DROP,
      dropped('end'),
      { action: 'reset', detail: { bytes: 7 } },
    ])
  })
})
