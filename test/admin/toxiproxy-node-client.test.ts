// Toxiproxy's own Node client, unchanged, against real traffic.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Toxiproxy, type Proxy, type Toxic } from 'toxiproxy-node-client'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

let server: AdminServer
let echo: RawServer
let client: Toxiproxy
let proxy: Proxy

beforeAll(async () => {
  server = await startAdminServer({ port: 0 })
  echo = await RawServer.echo()
  client = new Toxiproxy(server.url)
})

afterAll(async () => {
  await server.close()
  await echo.close()
})

beforeEach(async () => {
  for (const { name } of server.network.proxies) await server.network.removeProxy(name)
  proxy = await client.createProxy({ name: 'echo', listen: '127.0.0.1:0', upstream: echo.address })
})

function connect(): Promise<RawSocket> {
  return RawSocket.connect(Number(proxy.listen.split(':')[1]))
}

async function roundTripMs(socket: RawSocket, text: string): Promise<number> {
  const before = socket.receivedBytes
  const startMs = performance.now()
  socket.write(text)
  await socket.untilBytes(before + text.length)
  return performance.now() - startMs
}

function addToxic(
  type: string,
  attributes: object,
  stream: 'upstream' | 'downstream' = 'downstream',
): Promise<Toxic<unknown>> {
  return proxy.addToxic<unknown>({ name: 't', type: type as 'latency', stream, toxicity: 1, attributes })
}

describe('proxies', () => {
  test('are created, listed, read, changed and removed', async () => {
    expect(await client.getVersion()).toContain('2.12')
    expect(Object.keys(await client.getAll())).toEqual(['echo'])
    const socket = await connect()
    await roundTripMs(socket, 'hello')
    await (await client.get('echo')).update({ enabled: false, listen: proxy.listen, upstream: echo.address })
    expect(await socket.untilEnded()).toBe('FIN')
    await expect(connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await client.reset()
    await roundTripMs(await connect(), 'hello')
    await proxy.remove()
    expect(await client.getAll()).toEqual({})
  })

  test('are populated', async () => {
    const made = await client.populate([
      { name: 'a', listen: '127.0.0.1:0', upstream: echo.address },
      { name: 'b', listen: '127.0.0.1:0', upstream: echo.address },
    ])
    expect(Object.values(made).map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('that are there already are refused', async () => {
    await expect(client.createProxy({ name: 'echo', listen: '127.0.0.1:0', upstream: 'a:1' })).rejects.toThrow(/409/)
  })
})

describe.each(['upstream', 'downstream'] as const)('toxics %s', (stream) => {
  test('latency delays', async () => {
    const socket = await connect()
    const toxic = await addToxic('latency', { latency: 100, jitter: 0 }, stream)
    expect(await roundTripMs(socket, 'hello')).toBeGreaterThanOrEqual(99)
    await toxic.update({ toxicity: 1, attributes: { latency: 200, jitter: 0 } } as never)
    expect(await roundTripMs(socket, 'hello')).toBeGreaterThanOrEqual(199)
    await toxic.remove()
    // Without the toxic a round trip on loopback is far below the delay.
    expect(await roundTripMs(socket, 'hello')).toBeLessThan(150)
  })

  test('bandwidth throttles', async () => {
    const socket = await connect()
    await addToxic('bandwidth', { rate: 100 }, stream)
    // 30,000 bytes at 100 B/ms.
    expect(await roundTripMs(socket, 'x'.repeat(30_000))).toBeGreaterThanOrEqual(290)
  })

  test('slow_close delays the end', async () => {
    const socket = await connect()
    await addToxic('slow_close', { delay: 150 }, stream)
    const startMs = performance.now()
    socket.end('bye')
    expect(await socket.untilEnded()).toBe('FIN')
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(149)
    expect(socket.text).toBe('bye')
  })

  test('timeout swallows and closes', async () => {
    const socket = await connect()
    await addToxic('timeout', { timeout: 100 }, stream)
    socket.write('hello')
    expect(await socket.untilEnded()).toBe('FIN')
    expect(socket.text).toBe('')
  })

  test('reset_peer resets', async () => {
    const socket = await connect()
    await addToxic('reset_peer', { timeout: 100 }, stream)
    socket.write('hello')
    expect(await socket.untilEnded()).toBe('ECONNRESET')
  })

  test('slicer cuts', async () => {
    const socket = await connect()
    await addToxic('slicer', { average_size: 100, size_variation: 50, delay: 1000 }, stream)
    const text = 'abcdefghij'.repeat(200)
    // About 20 slices with a millisecond between two.
    expect(await roundTripMs(socket, text)).toBeGreaterThanOrEqual(12)
    expect(socket.text).toBe(text)
    const slices = server.network.injections.entries({ fault: 't' }).length
    expect(slices).toBeGreaterThanOrEqual(13)
  })

  test('limit_data cuts off', async () => {
    const socket = await connect()
    await addToxic('limit_data', { bytes: 5 }, stream)
    socket.write('hello world')
    expect(await socket.untilEnded()).toBe('FIN')
    expect('hello'.startsWith(socket.text)).toBe(true)
    if (stream === 'downstream') expect(socket.text).toBe('hello')
  })

  test('are read back and removed', async () => {
    await addToxic('latency', { latency: 1, jitter: 0 }, stream)
    const toxic = await proxy.getToxic('t')
    expect(toxic.toJson()).toMatchObject({ name: 't', type: 'latency', stream, toxicity: 1 })
    await toxic.remove()
    await expect(proxy.getToxic('t')).rejects.toThrow(/404/)
  })
})
