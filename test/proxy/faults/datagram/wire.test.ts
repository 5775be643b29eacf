// Datagram faults on the wire: chosen by seed, session and count; on record; changed and removed; refused.
import { describe, expect, test } from 'vitest'
import { InstalledFault, ManualClock, Network, type FaultSpec } from '../../../../proxy/index.ts'
import { Random } from '../../../../proxy/random.ts'
import { startUdp, upTo, type UdpClient, type UdpProxied } from '../../../support/datagrams.ts'
import { untilTrue } from '../../../support/stream-faults.ts'

/** Few enough for the smallest receive buffers (212,992 bytes by default on Linux) if nobody reads for a while. */
const PACKETS = 200

/** What has come of 200 numbered packets from a client. The fault is removed behind them, and holds none back. */
async function arrived(proxied: UdpProxied, client: UdpClient, fault: string, expected: number): Promise<number[]> {
  const { server, proxy } = proxied
  const before = server.received.length
  const { upstream } = proxy.traffic
  let bytes = upstream.receivedBytes
  for (const number of upTo(PACKETS)) {
    client.send(`${number}`)
    bytes += `${number}`.length
  }
  await server.untilPackets(before + expected)
  await untilTrue(() => upstream.receivedBytes === bytes, 'all of them')
  proxy.removeFault(fault)
  // Loopback keeps the order: nothing is on its way behind this one.
  client.send('last')
  await server.until(() => server.texts.at(-1) === 'last', 'the last')
  return server.received.slice(before, -1).map(({ packet }) => Number(packet.toString()))
}

const drop = { type: 'drop', name: 'd', direction: 'upstream', attributes: { rate: 0.3 } } as const

/** Keyed as the faults are. */
const drawsOf = (session: number, fault = 'd', direction = 'upstream', purpose = 'stage'): Random =>
  new Random(1, 'p', session, direction, fault, purpose)

describe('which packets are lost', () => {
  test('follows from seed, proxy, session, direction, fault and the number of the packet', async () => {
    await using proxied = await startUdp()
    for (const session of [1, 2]) {
      proxied.proxy.addFault(drop)
      const random = drawsOf(session)
      const expected = upTo(PACKETS).filter((number) => random.at(number) >= 0.3)
      expect(await arrived(proxied, await proxied.client(), 'd', expected.length)).toEqual(expected)
      const lost = proxied.network.injections.entries({ fault: 'd' }).filter(({ connection }) => connection === session)
      expect(lost.map(({ detail }) => detail['packet'])).toEqual(upTo(PACKETS).filter((n) => !expected.includes(n)))
      expect(lost[0]).toMatchObject({ proxy: 'p', direction: 'upstream', type: 'drop', action: 'drop' })
    }
  })

  test('is a matter of skip, every and times, too, over all sessions', async () => {
    await using proxied = await startUdp([{ ...drop, attributes: {}, skip: 3, every: 4, times: 5 }])
    const client = await proxied.client()
    const lost = new Set([7, 11, 15, 19, 23])
    const expected = upTo(PACKETS).filter((number) => !lost.has(number))
    expect(await arrived(proxied, client, 'd', expected.length)).toEqual(expected)
    expect(proxied.network.injections.entries({}).map(({ detail }) => detail['packet'])).toEqual([...lost])
  })

  test('is chosen by session where there is a probability, for both directions alike', async () => {
    await using proxied = await startUdp([{ ...drop, direction: 'both', attributes: {}, probability: 0.5 }])
    proxied.echo()
    const chosen = upTo(20).filter((session) => drawsOf(session, 'd', 'upstream', 'probability').next() < 0.5)
    const spared = upTo(20).filter((session) => !chosen.includes(session))
    expect(spared.length).toBeGreaterThan(3)
    for (const session of upTo(20)) {
      const { end, send } = await proxied.client()
      send('x')
      if (spared.includes(session)) await end.untilPackets(1)
      else await untilTrue(() => proxied.proxy.fault('d')?.injections === chosen.indexOf(session) + 1, 'the act')
    }
    expect(proxied.server.received).toHaveLength(spared.length)
  })

  test('is chosen by what a session is, where there is a match', async () => {
    await using proxied = await startUdp([{ ...drop, attributes: {}, match: { connection: [2] } }])
    const [one, two] = [await proxied.client(), await proxied.client()]
    one.send('1')
    await proxied.server.untilPackets(1)
    two.send('2')
    await untilTrue(() => proxied.proxy.fault('d')?.injections === 1, 'the act')
    one.send('1 again')
    await proxied.server.untilPackets(2)
    expect(proxied.server.texts).toEqual(['1', '1 again'])
  })
})

test('by default a fault acts on answers', async () => {
  await using proxied = await startUdp([{ type: 'drop' }])
  proxied.echo()
  const { end, send } = await proxied.client()
  send('x')
  await proxied.server.untilPackets(1)
  await untilTrue(() => proxied.proxy.fault('drop_downstream')?.injections === 1, 'the lost answer')
  proxied.proxy.removeFault('drop_downstream')
  send('y')
  await end.untilPackets(1)
  expect(end.texts).toEqual(['y'])
})

test('faults act one behind the other, in the order of their creation', async () => {
  const clock = new ManualClock()
  const both: FaultSpec[] = [
    { type: 'duplicate', direction: 'upstream', attributes: { copies: 2 } },
    { type: 'drop', name: 'd', direction: 'upstream', attributes: {}, every: 2 },
    { type: 'latency', direction: 'upstream', attributes: { latency: 10 } },
  ]
  await using proxied = await startUdp(both, { clock })
  const { send } = await proxied.client()
  send('a')
  await untilTrue(() => proxied.network.injections.total === 4, 'all acts')
  expect(proxied.network.injections.entries({}).map(({ type, detail }) => `${type} ${detail['packet']}`)).toEqual([
    'latency 1',
    'duplicate 1',
    'drop 2',
    'latency 2',
  ])
  expect([...proxied.proxy.connections][0]?.heldBytes).toBeGreaterThan(0)
  clock.advance(10)
  await proxied.server.untilPackets(2)
  expect([...proxied.proxy.connections][0]?.heldBytes).toBe(0)
})

test('a change acts on live sessions, a time to live ends, and removal passes on what is held', async () => {
  const clock = new ManualClock()
  await using proxied = await startUdp([], { clock })
  const { send } = await proxied.client()
  proxied.proxy.addFault({ ...drop, attributes: { rate: 1 }, ttlMs: 100 })
  send('lost')
  await untilTrue(() => proxied.proxy.fault('d')?.injections === 1, 'the act')
  proxied.proxy.updateFault('d', { attributes: { rate: 0 } })
  send('passes')
  await proxied.server.untilPackets(1)
  clock.advance(100)
  expect([...proxied.proxy.faults]).toEqual([])
  proxied.proxy.addFault({ type: 'latency', name: 'l', direction: 'upstream', attributes: { latency: 5000 } })
  send('held')
  await untilTrue(() => proxied.proxy.fault('l')?.injections === 1, 'the delay')
  proxied.proxy.removeFault('l')
  await proxied.server.untilPackets(2)
  expect(proxied.server.texts).toEqual(['passes', 'held'])
})

test('latency delays by the real clock, too', async () => {
  await using proxied = await startUdp([{ type: 'latency', attributes: { latency: 50 } }])
  proxied.echo()
  const { end, send } = await proxied.client()
  const sentMs = performance.now()
  send('x')
  await end.untilPackets(1)
  // Half a millisecond early counts as on time; a busy machine may be late.
  expect(end.received[0]!.atMs - sentMs).toBeGreaterThan(49)
  expect(end.received[0]!.atMs - sentMs).toBeLessThan(300)
})

describe('what a proxy does not carry is refused by its type', () => {
  const carried = 'latency, bandwidth, corrupt, drop, duplicate, reorder, refuse'

  test.each(['slicer', 'stall', 'packet_loss', 'reset_on_accept', 'http_abort', 'pg_error'])(
    '%s on a proxy with protocol udp',
    async (type) => {
      await using proxied = await startUdp()
      const add = () => proxied.proxy.addFault({ type })
      expect(add).toThrow(expect.objectContaining({ code: 'fault_not_carried', field: 'type' }))
      expect(add).toThrow(carried)
      expect([...proxied.proxy.faults]).toEqual([])
    },
  )

  test('as a fault that has been built elsewhere, too', async () => {
    await using proxied = await startUdp()
    const refused = expect.objectContaining({ code: 'fault_not_carried', field: 'type' })
    expect(() => proxied.proxy.installFault(InstalledFault.fromSpec({ type: 'latency' }))).toThrow(refused)
    const tcp = await proxied.network.createProxy({ name: 'tcp', upstream: '127.0.0.1:9' })
    const datagrams = InstalledFault.fromSpec({ type: 'latency' }, '', undefined, 'udp')
    expect(() => tcp.installFault(datagrams)).toThrow(refused)
  })

  test.each(['drop', 'duplicate', 'reorder'])('%s on the others', async (type) => {
    await using network = new Network()
    for (const protocol of ['tcp', 'http', 'postgres'] as const) {
      const faults = [{ type: 'latency' }, { type }]
      const spec = { name: protocol, protocol, upstream: '127.0.0.1:9', faults }
      await expect(network.createProxy(spec)).rejects.toMatchObject({
        code: 'fault_not_carried',
        field: 'faults.1.type',
      })
    }
  })

  test('a type that nobody knows is told apart from that', async () => {
    await using proxied = await startUdp()
    expect(() => proxied.proxy.addFault({ type: 'dorp' })).toThrow('did you mean "drop"?')
  })
})

test.each<[FaultSpec, string]>([
  [{ type: 'drop', attributes: { rate: 1.1 } }, 'attributes.rate'],
  [{ type: 'drop', attributes: { burst: 0 } }, 'attributes.burst'],
  [{ type: 'duplicate', attributes: { copies: 0 } }, 'attributes.copies'],
  [{ type: 'duplicate', attributes: { delayMs: -1 } }, 'attributes.delayMs'],
  [{ type: 'reorder', attributes: { gap: 0 } }, 'attributes.gap'],
  [{ type: 'reorder', attributes: { timeoutMs: 0 } }, 'attributes.timeoutMs'],
  [{ type: 'corrupt', attributes: { rate: -0.1 } }, 'attributes.rate'],
  [{ type: 'latency', attributes: { latency: -1 } }, 'attributes.latency'],
  [{ type: 'latency', attributes: { jitter: 5, distribution: 'pareto' } }, 'attributes.jitter'],
  [{ type: 'latency', attributes: { keepOrder: 1 } }, 'attributes.keepOrder'],
  [{ type: 'bandwidth', attributes: { scope: 'all' } }, 'attributes.scope'],
  [{ type: 'bandwidth', times: 1 }, 'times'],
  [{ type: 'refuse', probability: 0.5 }, 'probability'],
  [{ type: 'refuse', match: { connection: 1 } }, 'match'],
  [{ type: 'refuse', direction: 'upstream' }, 'direction'],
  [{ type: 'drop', key: 'x-user' }, 'key'],
  [{ type: 'drop', match: { path: '/' } }, 'match.path'],
])('%j is refused by its field', async (spec, field) => {
  await using proxied = await startUdp()
  expect(() => proxied.proxy.addFault(spec)).toThrow(expect.objectContaining({ field }))
  expect([...proxied.proxy.faults]).toEqual([])
})
