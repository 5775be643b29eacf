// Promise 1 of the data plane: without a fault, neither end can tell the proxy from the other end.
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { Network } from '../../proxy/index.ts'
import { portOf, startProxied } from '../support/proxied.ts'
import { freePort, RawServer, RawSocket } from '../support/sockets.ts'

describe('bytes', () => {
  test('arrive unchanged and in order, both ways at once, whatever their sizes', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    // Around the sizes at which buffers change hands: 16 KiB, 64 KiB, 256 KiB.
    const sizes = [1, 100, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 3_000_000]
    const up = sizes.map((size) => randomBytes(size))
    const down = sizes.toReversed().map((size) => randomBytes(size))
    for (const [index, chunk] of up.entries()) {
      client.write(chunk)
      server.write(down[index]!)
      if (index % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const total = sizes.reduce((sum, size) => sum + size, 0)
    await Promise.all([client.untilBytes(total), server.untilBytes(total)])
    expect(server.received.equals(Buffer.concat(up))).toBe(true)
    expect(client.received.equals(Buffer.concat(down))).toBe(true)
  })

  test('sent before the upstream is connected are not lost', async () => {
    await using upstream = await RawServer.start()
    await using network = new Network()
    const proxy = await network.createProxy({ name: 'p', upstream: upstream.address })
    const accepted = upstream.next()
    const early = randomBytes(200_000)
    const socket = net.connect(portOf(proxy), '127.0.0.1')
    socket.end(early) // queued before the connection exists, FIN as well
    const server = await accepted
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.received.equals(early)).toBe(true)
    socket.destroy()
  })
})

describe('half-close', () => {
  test('a client that sends FIN still gets its answer', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.end('question')
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe('question')
    expect(client.ending).toBe('open')
    server.end('answer')
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toBe('answer')
  })

  test('a server that sends FIN still gets what the client sends', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    server.end('greeting')
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toBe('greeting')
    client.end('late words')
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe('late words')
  })

  test('a connection whose ends have both sent FIN is forgotten', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.end()
    await server.untilEnded()
    server.end()
    await client.untilEnded()
    await expect.poll(() => proxied.proxy.connections.size).toBe(0)
  })
})

describe('RST', () => {
  test('of the server reaches the client as RST', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    server.reset()
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })

  test('of the client reaches the server as RST', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.reset()
    expect(await server.untilEnded()).toBe('ECONNRESET')
  })

  test('after data: the data arrives before it', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    server.write('last words')
    await client.untilBytes(10)
    server.reset()
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(client.text).toBe('last words')
  })

  test.each(['client', 'server'] as const)('right behind data of the %s arrives as data, then RST', async (from) => {
    await using proxied = await startProxied()
    const ends = await proxied.connect()
    const to = from === 'client' ? ends.server : ends.client
    // A byte first: an RST that comes before a dial is known to have succeeded fails it, with a proxy and without.
    ends.client.write('-')
    ends.server.write('-')
    await Promise.all([ends.client.untilBytes(1), ends.server.untilBytes(1)])
    ends[from].write('data')
    ends[from].reset()
    expect(await to.untilEnded()).toBe('ECONNRESET')
    expect(to.text).toBe('-data')
  })

  test('of a server right after it has accepted takes the way through faults', async () => {
    await using proxied = await startProxied([{ type: 'latency', attributes: { latency: 100 } }])
    const { client, server } = await proxied.connect()
    const startMs = performance.now()
    server.reset()
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(99)
    expect(proxied.proxy.counters.failedDials).toBe(0)
  })

  test('of the server reaches a client that has already sent FIN', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.end()
    await server.untilEnded()
    server.reset()
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })

  test('leaves nothing behind', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.reset()
    await server.untilEnded()
    await expect.poll(() => proxied.proxy.connections.size).toBe(0)
  })
})

describe('an upstream that cannot be reached', () => {
  test('when it refuses, the client is reset at once', async () => {
    await using network = new Network()
    const proxy = await network.createProxy({ name: 'p', upstream: `127.0.0.1:${await freePort()}` })
    const client = await RawSocket.connect(portOf(proxy))
    expect(await client.untilEnded()).toBe('ECONNRESET')
    expect(proxy.counters.failedDials).toBe(1)
    expect(proxy.lastError?.message).toContain('ECONNREFUSED')
  })

  test('when it refuses, faults that hold the way back do not hide it', async () => {
    await using network = new Network()
    const proxy = await network.createProxy({
      name: 'p',
      upstream: `127.0.0.1:${await freePort()}`,
      faults: [{ type: 'timeout' }, { type: 'latency', attributes: { latency: 60_000 } }],
    })
    const client = await RawSocket.connect(portOf(proxy))
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })

  test.each(['nowhere', 'no-such-host.invalid:80', '127.0.0.1:0'])(
    'when it is %s, the client is reset',
    async (upstream) => {
      await using network = new Network()
      const proxy = await network.createProxy({ name: 'p', upstream })
      const client = new RawSocket(net.connect(portOf(proxy), '127.0.0.1')) // may be reset before it knows it's connected
      expect(await client.untilEnded()).toBe('ECONNRESET')
      expect(proxy.counters.failedDials).toBe(1)
    },
  )
})

describe('backpressure', () => {
  test('a reader that stops makes the writer stop, and nothing is lost when it goes on', async () => {
    await using proxied = await startProxied()
    const { client, server } = await proxied.connect()
    client.socket.pause()
    const chunk = randomBytes(1_000_000)
    let accepted = 0
    while (accepted < 200 && server.socket.write(chunk)) accepted++
    // Kernel buffers of both connections may take some MB, then a write must stay queued.
    await expect.poll(() => server.socket.writableLength > 0).toBe(true)
    const sentBytes = (accepted + 1) * chunk.length
    server.end()
    client.socket.resume()
    await client.untilEnded()
    expect(client.receivedBytes).toBe(sentBytes)
    expect(client.received.subarray(-chunk.length).equals(chunk)).toBe(true)
  })
})
