// UDP without faults: who hears whom, when sessions begin and end, and what a proxy says of them.
import net from 'node:net'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { ManualClock, Network } from '../../../proxy/index.ts'
import { startUdp, UdpEnd, upTo } from '../../support/datagrams.ts'
import { portOf } from '../../support/proxied.ts'
import { freePort } from '../../support/sockets.ts'
import { untilTrue } from '../../support/stream-faults.ts'

const numbersOf = ({ proxy }: { readonly proxy: { readonly connections: Iterable<{ number: number }> } }): number[] =>
  [...proxy.connections].map(({ number }) => number)

test('each client has its own session, and gets its own answers', async () => {
  await using proxied = await startUdp()
  proxied.echo()
  const clients = await Promise.all(upTo(20).map(() => proxied.client()))
  for (const [index, client] of clients.entries()) client.send(`of ${index}`)
  await Promise.all(clients.map(({ end }) => end.untilPackets(1)))
  for (const [index, { end }] of clients.entries()) {
    expect(end.texts).toEqual([`of ${index}`])
    expect(end.received[0]?.from.port).toBe(proxied.proxy.port)
  }
  expect(new Set(proxied.server.received.map(({ from }) => from.port)).size).toBe(20)
  expect(numbersOf(proxied)).toEqual(upTo(20))
  expect(proxied.proxy.counters).toMatchObject({ acceptedConnections: 20, failedDials: 0, failedAccepts: 0 })
})

test('packets of all lengths pass as they are, empty ones and the longest', async () => {
  await using proxied = await startUdp()
  proxied.echo()
  const { end, send } = await proxied.client()
  // RFC 768, RFC 791: 65,535 less the headers of IP (20) and of UDP (8).
  const lengths = [0, 1, 1472, 9000, 65_507]
  for (const [index, length] of lengths.entries()) {
    send(Buffer.alloc(length, index + 1))
    await end.untilPackets(index + 1)
  }
  expect(end.received.map(({ packet }) => packet.length)).toEqual(lengths)
  for (const [index, { packet }] of end.received.entries())
    expect(packet.every((byte) => byte === index + 1)).toBe(true)
  const bytes = lengths.reduce((sum, length) => sum + length)
  const both = { receivedBytes: bytes, sentBytes: bytes }
  expect(proxied.proxy.traffic).toEqual({ upstream: both, downstream: both })
})

test('only the server is heard: what somebody else sends to a session does not reach the client', async () => {
  await using proxied = await startUdp()
  await using stranger = await UdpEnd.open()
  const { end, send } = await proxied.client()
  send('hello')
  await proxied.server.untilPackets(1)
  const session = proxied.server.received[0]!.from.port
  stranger.socket.send('from a stranger', session, '127.0.0.1')
  proxied.server.socket.send('from the server', session, '127.0.0.1')
  await end.untilPackets(1)
  expect(end.texts).toEqual(['from the server'])
})

test('a name is looked up, and packets that come meanwhile wait', async () => {
  await using server = await UdpEnd.open()
  await using network = new Network({ seed: 1 })
  const upstream = `localhost:${server.port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'udp', upstream })
  await using client = await UdpEnd.connect(portOf(proxy))
  for (const text of ['one', 'two', 'three']) client.socket.send(text)
  await server.untilPackets(3)
  expect(server.texts).toEqual(['one', 'two', 'three'])
})

test('IPv6 from end to end', async () => {
  await using server = await UdpEnd.open('::1')
  await using network = new Network({ seed: 1 })
  const upstream = `[::1]:${server.port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'udp', listen: '[::1]:0', upstream })
  expect(proxy.listen).toMatch(/^\[::1\]:\d+$/)
  await using client = await UdpEnd.open('::1')
  client.socket.send('six', portOf(proxy), '::1')
  await server.untilPackets(1)
  server.socket.send('back', server.received[0]!.from.port, '::1')
  await client.untilPackets(1)
})

test('one that listens on all interfaces serves IPv4 clients', async () => {
  await using proxied = await startUdp([], {}, { listen: ':0' })
  proxied.echo()
  expect(proxied.proxy.listen).toMatch(/^(?:\[::\]|0\.0\.0\.0):\d+$/)
  const { end, send } = await proxied.client()
  send('four')
  await end.untilPackets(1)
})

describe('the end of sessions', () => {
  test('is after the idle time, counted from the last packet of either end', async () => {
    const clock = new ManualClock()
    await using proxied = await startUdp([], { clock }, { idleTimeoutMs: 1000 })
    const [one, two] = [await proxied.client(), await proxied.client()]
    one.send('1')
    await proxied.server.untilPackets(1)
    clock.advance(600)
    two.send('2')
    await proxied.server.untilPackets(2)
    proxied.server.socket.send('answer', proxied.server.received[0]!.from.port, '127.0.0.1')
    await one.end.untilPackets(1)
    clock.advance(999)
    expect(numbersOf(proxied)).toEqual([1, 2])
    two.send('2 again')
    await proxied.server.untilPackets(3)
    clock.advance(1)
    expect(numbersOf(proxied)).toEqual([2])
    one.send('1 again')
    await proxied.server.untilPackets(4)
    expect(numbersOf(proxied)).toEqual([2, 3])
    clock.advance(1000)
    expect(numbersOf(proxied)).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  test('comes to the one without a packet for longest when there are too many', async () => {
    await using proxied = await startUdp([], {}, { maxSessions: 2 })
    const [one, two, three] = [await proxied.client(), await proxied.client(), await proxied.client()]
    for (const [index, client] of [one, two, one, three].entries()) {
      client.send('x')
      await proxied.server.untilPackets(index + 1)
    }
    expect(numbersOf(proxied)).toEqual([1, 3])
  })

  test('comes to all with disable, also while the server is looked up, and nothing is left', async () => {
    const clock = new ManualClock()
    await using proxied = await startUdp([], { clock }, { upstream: 'localhost:9' })
    const clients = await Promise.all(upTo(5).map(() => proxied.client()))
    for (const client of clients) client.send('x')
    await untilTrue(() => proxied.proxy.connections.size === 5, 'all sessions')
    // The test's own ends stay.
    const ownSockets = 6
    await proxied.proxy.disable()
    expect(proxied.proxy.connections.size).toBe(0)
    expect(clock.pendingTimers).toBe(0)
    await untilTrue(() => openSockets() === ownSockets, 'no other socket')
    await proxied.proxy.enable()
    clients[0]?.send('x')
    await untilTrue(() => proxied.proxy.counters.acceptedConnections === 6, 'a session after it')
  })
})

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP')).length
}

describe('a server that is not there', () => {
  test('costs packets and nothing else; when it comes, the next ones arrive', async () => {
    const gone = await UdpEnd.open()
    const { port } = gone
    await gone.close()
    await using proxied = await startUdp([], {}, { upstream: `127.0.0.1:${port}` })
    const { end, send } = await proxied.client()
    send('lost')
    await untilTrue(() => proxied.proxy.counters.failedDials === 1, 'the ICMP error')
    expect(proxied.proxy.lastError).toMatchObject({ code: 'ECONNREFUSED' })
    await using back = await UdpEnd.open('127.0.0.1', port)
    send('found')
    await back.untilPackets(1)
    expect(back.texts).toEqual(['found'])
    expect(numbersOf(proxied)).toEqual([1])
    expect(end.errors).toEqual([])
  })

  test.each(['nowhere', 'name.invalid:53', '127.0.0.1:0'])(
    'with the upstream %s ends the session',
    async (upstream) => {
      await using proxied = await startUdp([], {}, { upstream })
      const { send } = await proxied.client()
      send('x')
      await untilTrue(() => proxied.proxy.counters.failedDials === 1, 'the failure')
      expect(proxied.proxy.connections.size).toBe(0)
      expect(proxied.proxy.lastError).toBeInstanceOf(Error)
    },
  )
})

describe('listening', () => {
  test('fails with listen_failed where the port is taken', async () => {
    await using taken = await UdpEnd.open()
    await using network = new Network({ seed: 1 })
    const listen = `127.0.0.1:${taken.port}`
    const spec = { name: 'p', protocol: 'udp', listen, upstream: '127.0.0.1:9' } as const
    await expect(network.createProxy(spec)).rejects.toMatchObject({
      code: 'listen_failed',
      message: `listen udp ${listen}: bind: address already in use`,
    })
    expect([...network.proxies]).toEqual([])
  })

  test('a TCP and a UDP proxy may have the same port', async () => {
    await using network = new Network({ seed: 1 })
    const listen = `127.0.0.1:${await freePort()}`
    const one = await network.createProxy({ name: 'udp', protocol: 'udp', listen, upstream: '127.0.0.1:9' })
    const other = await network.createProxy({ name: 'tcp', listen, upstream: '127.0.0.1:9' })
    expect(other.port).toBe(one.port)
    const client = net.connect(portOf(other), '127.0.0.1')
    await once(client, 'connect')
    client.on('error', () => {}).destroy()
  })

  test('moves with an update, and ends with the network', async () => {
    await using proxied = await startUdp()
    proxied.echo()
    const before = portOf(proxied.proxy)
    await proxied.proxy.update({ listen: '127.0.0.1:0' })
    expect(portOf(proxied.proxy)).not.toBe(before)
    const { end, send } = await proxied.client()
    send('x')
    await end.untilPackets(1)
    await proxied.network.close()
    await using again = await UdpEnd.open('127.0.0.1', before)
    expect(again.port).toBe(before)
  })
})

describe('options', () => {
  test('have defaults, and are shown', async () => {
    await using proxied = await startUdp()
    expect(proxied.proxy.protocolOptions).toEqual({ idleTimeoutMs: 60_000, maxSessions: 10_000 })
  })

  test.each([0, 1.5, 1e9, 'x'])('an idle time of %j is refused', async (idleTimeoutMs) => {
    await using network = new Network()
    const spec = {
      name: 'p',
      protocol: 'udp',
      upstream: '127.0.0.1:9',
      idleTimeoutMs: idleTimeoutMs as number,
    } as const
    await expect(network.createProxy(spec)).rejects.toMatchObject({ code: 'invalid_value', field: 'idleTimeoutMs' })
  })

  test.each(['tcp', 'http', 'postgres'] as const)('are refused on %s', async (protocol) => {
    await using network = new Network()
    const spec = { name: 'p', protocol, upstream: '127.0.0.1:9', idleTimeoutMs: 5 }
    await expect(network.createProxy(spec)).rejects.toMatchObject({ code: 'unknown_field', field: 'idleTimeoutMs' })
  })
})
