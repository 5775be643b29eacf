// A proxy's life: enabled, disabled, changed, removed; its network closed.
import { expect, test } from 'vitest'
import { isFaultlineError, Network, type FaultlineErrorCode } from '../../proxy/index.ts'
import { portOf, startProxied } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

async function codeOf(action: Promise<unknown>): Promise<FaultlineErrorCode | undefined> {
  try {
    await action
    return undefined
  } catch (error) {
    if (isFaultlineError(error)) return error.code
    throw error
  }
}

test('a disabled proxy refuses connections, closes live ones, and keeps its port and faults for later', async () => {
  await using proxied = await startProxied([{ type: 'noop' }])
  const { client, server } = await proxied.connect()
  const port = portOf(proxied.proxy)
  await proxied.proxy.disable()
  expect(proxied.proxy.connections.size).toBe(0)
  expect(await client.untilEnded()).toBe('FIN')
  expect(await server.untilEnded()).toBe('FIN')
  await expect(RawSocket.connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  await proxied.proxy.enable()
  expect(proxied.proxy.port).toBe(port)
  expect([...proxied.proxy.faults].map(({ type }) => type)).toEqual(['noop'])
  await proxied.connect()
})

test('a changed upstream closes connections and leads new ones to the new server', async () => {
  await using proxied = await startProxied()
  await using other = await RawServer.start()
  const { client } = await proxied.connect()
  const port = portOf(proxied.proxy)
  await proxied.proxy.update({ upstream: other.address })
  expect(await client.untilEnded()).toBe('FIN')
  const accepted = other.next()
  const again = await RawSocket.connect(port)
  again.write('hello')
  await (await accepted).untilBytes(5)
})

test('a change that changes nothing leaves connections alone', async () => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  const { listen, upstream } = proxied.proxy
  await proxied.proxy.update({ listen: listen.replace('127.0.0.1', 'localhost'), upstream, enabled: true })
  client.write('still here')
  await server.untilBytes(10)
})

test('an update with a listen address that is none changes nothing', async () => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  expect(await codeOf(proxied.proxy.update({ listen: 'nonsense', upstream: 'elsewhere:1' }))).toBe('invalid_address')
  expect(proxied.proxy.upstream).toBe(proxied.upstream.address)
  client.write('still here')
  await server.untilBytes(10)
})

test('commands given at once are carried out one after the other', async () => {
  await using proxied = await startProxied()
  const { proxy } = proxied
  await Promise.all([proxy.disable(), proxy.enable(), proxy.disable(), proxy.enable(), proxy.disable(), proxy.enable()])
  expect(proxy.enabled).toBe(true)
  await proxied.connect()
})

test('a proxy that is removed while it is being changed listens to nobody afterwards', async () => {
  await using proxied = await startProxied()
  const { network, proxy } = proxied
  const port = portOf(proxy)
  const removed = network.removeProxy('p')
  expect(await codeOf(proxy.update({ upstream: '127.0.0.1:1', enabled: true }))).toBe('proxy_not_found')
  await removed
  await expect(RawSocket.connect(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('of two proxies created at once with one name, one is', async () => {
  await using network = new Network()
  const create = (): Promise<unknown> => network.createProxy({ name: 'p', upstream: '127.0.0.1:1' })
  const codes = await Promise.all([codeOf(create()), codeOf(create())])
  expect(codes).toEqual([undefined, 'proxy_exists'])
  expect([...network.proxies]).toHaveLength(1)
})

test('a proxy is created with its faults, or not at all', async () => {
  await using network = new Network()
  const faults = [{ type: 'latency' }, { type: 'latency' }]
  expect(await codeOf(network.createProxy({ name: 'p', upstream: '127.0.0.1:1', faults }))).toBe('fault_exists')
  expect(network.proxy('p')).toBeUndefined()
})

test('faults given at creation are there for the first connection', async () => {
  await using proxied = await startProxied([{ type: 'limit_data', attributes: { bytes: 3 } }])
  const { client, server } = await proxied.connect()
  server.write('hello')
  expect(await client.untilEnded()).toBe('FIN')
  expect(client.text).toBe('hel')
})

test('a closed network has no connection left and creates no proxy', async () => {
  const proxied = await startProxied()
  const { client } = await proxied.connect()
  await proxied.network.close()
  expect(await client.untilEnded()).toBe('FIN')
  expect(await codeOf(proxied.network.createProxy({ name: 'q', upstream: '127.0.0.1:1' }))).toBe('network_closed')
  await proxied.upstream.close()
})

test('reset heals and enables every proxy, and tells if one could not be', async () => {
  await using proxied = await startProxied([{ type: 'timeout' }])
  const other = await proxied.network.createProxy({ name: 'other', upstream: '127.0.0.1:1', enabled: false })
  await other.update({ listen: proxied.upstream.address }) // taken
  await proxied.proxy.disable()
  expect(await codeOf(proxied.network.reset())).toBe('listen_failed')
  expect([...proxied.proxy.faults]).toEqual([])
  expect(proxied.proxy.enabled).toBe(true)
})

test('a new address that can not be had leaves the proxy where it was', async () => {
  await using proxied = await startProxied()
  await using other = await RawServer.start()
  const { proxy } = proxied
  const { listen, upstream } = proxy
  const change = proxy.update({ listen: other.address, upstream: '127.0.0.1:1' })
  await expect(change).rejects.toThrow('address already in use')
  expect([proxy.listen, proxy.upstream, proxy.enabled]).toEqual([listen, upstream, true])
  await proxied.connect()
})
