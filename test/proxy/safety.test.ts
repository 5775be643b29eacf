// Nobody is stuck with a fault: the emergency stop, times to live, leases, faults that are not enabled.
import { describe, expect, test } from 'vitest'
import { ManualClock, Network, type Network as NetworkType } from '../../proxy/index.ts'
import { portOf, startProxied } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

const stalled = { type: 'stall', name: 's' }
const changes = (network: NetworkType): string[] =>
  network.changes.entries().map(({ type, detail }) => [type, detail['reason'] ?? []].flat().join(' '))

describe('the emergency stop', () => {
  test('heals everything, and what was held passes', async () => {
    await using proxied = await startProxied([stalled], {}, { from: 'app', to: 'db' })
    const { client, server } = await proxied.connect()
    server.write('held')
    proxied.network.partition({ groups: [['app'], ['db']] })
    proxied.network.stop()
    await client.untilBytes(4)
    expect(proxied.network.stopped).toBe(true)
    expect([...proxied.proxy.faults]).toEqual([])
    expect(proxied.network.partitions).toEqual([])
    expect(changes(proxied.network).slice(-6)).toEqual([
      'fault_removed stop',
      'fault_removed stop',
      'fault_removed stop',
      'partition_healed stop',
      'fault_removed stop',
      'stopped',
    ])
  })

  test('refuses whatever would act, and nothing is half applied, until it is taken back', async () => {
    await using proxied = await startProxied([{ type: 'noop', name: 'n' }], {}, { from: 'app', to: 'db' })
    const { network, proxy } = proxied
    const [fault] = proxy.faults
    network.stop()
    const upstream = proxied.upstream.address
    expect(() => proxy.addFault(stalled)).toThrow('the emergency stop is on')
    expect(() => network.partition({ groups: [['app'], ['db']] })).toThrow('the emergency stop is on')
    await expect(network.createProxy({ name: 'q', upstream, faults: [stalled] })).rejects.toThrow('emergency stop')
    expect(() => proxy.applySettings(fault!, fault!.checkChange({ probability: 0.5 }))).toThrow('emergency stop')
    expect([...network.proxies].map(({ name }) => name)).toEqual(['p'])
    await network.createProxy({ name: 'plain', upstream })
    network.stop()
    network.resume()
    network.resume()
    proxy.addFault(stalled)
    expect(changes(network).filter((change) => /stopped|resumed/.test(change))).toEqual(['stopped', 'resumed'])
  })

  test('a proxy that is being started comes without its faults', async () => {
    await using proxied = await startProxied()
    const starting = proxied.network.createProxy({ name: 'q', upstream: proxied.upstream.address, faults: [stalled] })
    proxied.network.stop()
    expect([...(await starting).faults]).toEqual([])
  })
})

describe('times to live', () => {
  test('the default holds for faults and partitions that name none', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([], { clock, defaultTtlMs: 1000 }, { from: 'app', to: 'db' })
    const { network, proxy } = proxied
    expect(proxy.addFault(stalled).ttlMs).toBe(1000)
    proxy.addFault({ type: 'noop', name: 'long', ttlMs: 5000 })
    expect(network.partition({ groups: [['app'], ['db']] }).ttlMs).toBe(1000)
    clock.advance(1000)
    expect([...proxy.faults].map(({ name }) => name)).toEqual(['long'])
    expect(network.partitions).toEqual([])
    clock.advance(4000)
    expect([...proxy.faults]).toEqual([])
    expect(changes(network).filter((change) => change.endsWith('expired'))).toHaveLength(6)
  })

  test('the maximum is the default, and what asks for more is refused', async () => {
    await using proxied = await startProxied([], { maxTtlMs: 1000 })
    expect(proxied.proxy.addFault(stalled).ttlMs).toBe(1000)
    const tooLong = { type: 'noop', ttlMs: 1001 }
    expect(() => proxied.proxy.addFault(tooLong)).toThrow('ttlMs: expected at most 1000, the maximum here, got 1001')
    const create = proxied.network.createProxy({ name: 'q', upstream: 'localhost:1', faults: [tooLong] })
    await expect(create).rejects.toThrow('ttlMs: expected at most 1000')
    expect([...proxied.network.proxies]).toHaveLength(1)
    expect(() => new Network({ defaultTtlMs: 2000, maxTtlMs: 1000 })).toThrow('defaultTtlMs: expected at most 1000')
  })
})

describe('leases', () => {
  test('what is held by one ends when it is not renewed', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([], { clock }, { from: 'app', to: 'db' })
    const { network, proxy } = proxied
    const lease = network.leases.create({ ttlMs: 1000 })
    proxy.addFault({ ...stalled, lease: lease.id })
    proxy.addFault({ type: 'noop', name: 'free' })
    network.partition({ groups: [['app'], ['db']], lease: lease.id })
    expect(lease.holds).toBe(2)
    clock.advance(900)
    lease.renew()
    clock.advance(900)
    expect([...network.leases]).toHaveLength(1)
    expect(lease.leftMs).toBe(100)
    clock.advance(100)
    expect([...proxy.faults].map(({ name }) => name)).toEqual(['free'])
    expect([network.partitions, [...network.leases], lease.leftMs]).toEqual([[], [], 0])
    expect(changes(network).slice(-2)).toEqual(['partition_healed lease', 'lease_ended expired'])
    lease.renew()
    expect(clock.pendingTimers).toBe(0)
  })

  test('a fault that is removed before is no longer held; ending a lease ends the rest at once', async () => {
    await using proxied = await startProxied()
    const lease = proxied.network.leases.create({ ttlMs: 60_000 })
    proxied.proxy.addFault({ ...stalled, lease: lease.id })
    proxied.proxy.addFault({ type: 'noop', name: 'n', lease: lease.id })
    proxied.proxy.removeFault('s')
    expect(lease.holds).toBe(1)
    proxied.proxy.addFault(stalled)
    lease.end()
    lease.end()
    expect([...proxied.proxy.faults].map(({ name }) => name)).toEqual(['s'])
  })

  test('of experiments, three have their turn at a time, in the order in which they came', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([], { clock })
    const { leases } = proxied.network
    const plain = leases.create({ ttlMs: 60_000 })
    const [first, second, third, fourth, fifth] = Array.from({ length: 5 }, () =>
      leases.create({ ttlMs: 1000, experiment: true }),
    )
    const aheads = () => [...leases].map(({ ahead }) => ahead)
    expect(aheads()).toEqual([0, 0, 0, 0, 1, 2])
    const hold = (lease: string) => proxied.proxy.addFault({ type: 'noop', name: lease, lease })
    expect(() => hold(fourth!.id)).toThrow(
      `lease: expected the id of a lease whose turn it is, got "${fourth!.id}", behind 1 others`,
    )
    hold(plain.id)
    hold(first!.id)
    second!.end()
    expect(aheads()).toEqual([0, 0, 0, 0, 1])
    hold(fourth!.id)
    clock.advance(900)
    for (const lease of [first, fourth, fifth]) lease!.renew()
    clock.advance(100)
    expect([third!.leftMs, fifth!.ahead, aheads()]).toEqual([0, 0, [0, 0, 0, 0]])
    proxied.network.stop()
    expect([...leases]).toEqual([plain])
    const ended = Array.from({ length: 3 }, () => 'lease_ended stop')
    expect(changes(proxied.network).slice(-4)).toEqual(['stopped', ...ended])
    while ([...leases].length < 101) leases.create({ ttlMs: 1000, experiment: true })
    expect(() => leases.create({ ttlMs: 1000, experiment: true })).toThrow('100 experiments act or wait')
  })

  test.each([
    [{ ttlMs: 99 }, 'ttlMs: expected an integer from 100 to 3600000'],
    [{ ttlMs: 4_000_000 }, 'ttlMs: expected'],
    [{ ttlMs: 1000, experiment: 'yes' }, 'experiment: expected'],
    [{}, 'ttlMs'],
    [{ ttl: 1000 }, 'ttl'],
  ])('%j is refused', (spec, message) => {
    const network = new Network()
    expect(() => network.leases.create(spec as { ttlMs: number })).toThrow(message)
    expect([...network.leases]).toEqual([])
  })

  test('a lease that there is not', async () => {
    await using proxied = await startProxied()
    const { proxy } = proxied
    expect(() => proxy.addFault({ ...stalled, lease: 'x' })).toThrow('lease: expected the id of a lease that has not')
    expect([...proxy.faults]).toEqual([])
  })
})

describe('faults that are not enabled', () => {
  test('stay and act nowhere, until they are enabled', async () => {
    await using proxied = await startProxied([{ ...stalled, enabled: false }])
    const { client, server } = await proxied.connect()
    server.write('a')
    await client.untilBytes(1)
    proxied.proxy.updateFault('s', { enabled: true })
    server.write('b')
    await expect(client.untilBytes(2, 60)).rejects.toThrow('waited')
    proxied.proxy.updateFault('s', { enabled: false })
    await client.untilBytes(2)
    expect([...proxied.proxy.faults].map(({ name, enabled }) => [name, enabled])).toEqual([['s', false]])
    const next = await proxied.connect()
    next.server.write('c')
    await next.client.untilBytes(1)
  })

  test('refuse, which closes the listener, too', async () => {
    await using proxied = await startProxied([{ type: 'refuse', enabled: false }])
    await proxied.connect()
    proxied.proxy.updateFault('refuse', { enabled: true })
    await expect(RawSocket.connect(portOf(proxied.proxy))).rejects.toThrow('ECONNREFUSED')
    proxied.proxy.updateFault('refuse', { enabled: false })
    await proxied.proxy.enable() // behind the turn in which it listens again
    await proxied.connect()
  })

  test('of messages', async () => {
    await using upstream = await RawServer.start((socket) => {
      socket.socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'))
    })
    await using network = new Network()
    const faults = [{ type: 'http_abort', name: 'a', enabled: false, attributes: { status: 503 } }]
    const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: upstream.address, faults })
    const status = async (): Promise<number> => (await fetch(`http://127.0.0.1:${proxy.port}/`)).status
    expect(await status()).toBe(200)
    proxy.updateFault('a', { enabled: true })
    expect(await status()).toBe(503)
    proxy.updateFault('a', { enabled: false })
    expect(await status()).toBe(200)
  })

  test('one that is enabled again acts behind all others', async () => {
    await using proxied = await startProxied([{ type: 'noop', name: 'a' }, stalled])
    proxied.proxy.updateFault('a', { enabled: false })
    proxied.proxy.updateFault('a', { enabled: true })
    expect([...proxied.proxy.faults].map(({ name }) => name)).toEqual(['s', 'a'])
  })
})

test('every fault of a network has an id by which it is found', async () => {
  await using proxied = await startProxied([stalled])
  const other = proxied.proxy.addFault({ type: 'noop' })
  expect(new Set([...proxied.proxy.faults].map(({ id }) => id)).size).toBe(2)
  expect(proxied.network.findFault(other.id)).toEqual({ proxy: proxied.proxy, fault: other })
  proxied.proxy.removeFault(other.name)
  expect(proxied.network.findFault(other.id)).toBeUndefined()
})

test('a proxy that could not be created leaves nothing of its faults behind', async () => {
  const clock = new ManualClock()
  await using proxied = await startProxied([], { clock })
  const { network } = proxied
  const lease = network.leases.create({ ttlMs: 1000 })
  const faults = [{ ...stalled, ttlMs: 500, lease: lease.id }]
  const upstream = proxied.upstream.address
  await expect(network.createProxy({ name: 'p', upstream, faults })).rejects.toThrow('already exists')
  const taken = proxied.proxy.listen
  await expect(network.createProxy({ name: 'q', listen: taken, upstream, faults })).rejects.toThrow('listen')
  expect([lease.holds, clock.pendingTimers]).toEqual([0, 1])
  expect(changes(network)).toEqual(['proxy_created', 'lease_created'])
})
