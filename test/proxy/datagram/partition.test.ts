// Partitions of UDP links: packets really are lost, and with reject the kernel tells clients.
import { describe, expect, test } from 'vitest'
import { startUdp, UdpEnd } from '../../support/datagrams.ts'
import { portOf } from '../../support/proxied.ts'
import { untilTrue } from '../../support/stream-faults.ts'

const link = { from: 'app', to: 'dns' } as const
const groups = [['app'], ['dns']]

describe('drop', () => {
  test('loses the packets of both ways, which do not come after healing', async () => {
    await using proxied = await startUdp([], {}, link)
    const { network, server } = proxied
    const { end, send } = await proxied.client()
    send('before')
    await server.untilPackets(1)
    const cut = network.partition({ groups, name: 'cable' })
    send('during')
    server.socket.send('during', server.received[0]!.from.port, '127.0.0.1')
    await untilTrue(() => network.injections.total === 2, 'both losses')
    expect(
      network.injections
        .entries({})
        .map(({ fault }) => fault)
        .toSorted(),
    ).toEqual(['cable:drop:downstream', 'cable:drop:upstream'])
    cut.heal()
    send('after')
    await server.untilPackets(2)
    server.socket.send('after', server.received[0]!.from.port, '127.0.0.1')
    await end.untilPackets(1)
    expect([server.texts, end.texts]).toEqual([['before', 'after'], ['after']])
  })

  test('one way lets answers through', async () => {
    await using proxied = await startUdp([], {}, link)
    const { network, server } = proxied
    const { end, send } = await proxied.client()
    send('before')
    await server.untilPackets(1)
    network.partition({ groups, oneWay: true })
    server.socket.send('answer', server.received[0]!.from.port, '127.0.0.1')
    await end.untilPackets(1)
    send('unheard')
    await untilTrue(() => network.injections.total === 1, 'the loss')
    expect(server.texts).toEqual(['before'])
  })

  test('by two: the link is whole when both are healed', async () => {
    await using proxied = await startUdp([], {}, link)
    const { network, server } = proxied
    const { send } = await proxied.client()
    const [one, other] = [network.partition({ groups }), network.partition({ groups })]
    one.heal()
    send('lost')
    await untilTrue(() => network.injections.total === 1, 'the loss')
    other.heal()
    send('found')
    await server.untilPackets(1)
    expect(server.texts).toEqual(['found'])
  })
})

describe('reject', () => {
  test('tells clients by ICMP, and lets the same session go on after healing', async () => {
    await using proxied = await startUdp([], {}, link)
    const { network, proxy, server } = proxied
    await using client = await UdpEnd.connect(portOf(proxy))
    client.socket.send('before')
    await server.untilPackets(1)
    const port = portOf(proxy)
    const cut = network.partition({ groups, mode: 'reject', name: 'wall' })
    client.socket.send('refused')
    await client.until(() => client.errors.length > 0, 'the ICMP error')
    expect(client.errors).toEqual(['ECONNREFUSED'])
    server.socket.send('unheard', server.received[0]!.from.port, '127.0.0.1')
    await untilTrue(() => network.injections.total === 1, 'the loss')
    expect(network.injections.entries({})[0]).toMatchObject({ fault: 'wall:refuse', action: 'drop' })
    cut.heal()
    await proxy.enable() // behind the turn in which it listens again
    expect(portOf(proxy)).toBe(port)
    client.socket.send('after')
    await server.untilPackets(2)
    expect(server.texts).toEqual(['before', 'after'])
    expect(server.received[1]?.from.port).toBe(server.received[0]?.from.port)
  })

  test('disables the proxy if somebody has taken its port meanwhile', async () => {
    await using proxied = await startUdp([], {}, link)
    const { network, proxy } = proxied
    const port = portOf(proxy)
    const cut = network.partition({ groups, mode: 'reject' })
    await using thief = await UdpEnd.open('127.0.0.1', port)
    cut.heal()
    await proxy.disable() // behind the turn in which it tries
    expect(proxy.enabled).toBe(false)
    expect(proxy.lastError).toMatchObject({ code: 'listen_failed' })
    expect(thief.port).toBe(port)
  })
})
