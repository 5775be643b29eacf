// Promises 5 and 6 of the data plane: memory is bounded, and no connection suffers for another one's trouble.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { startServed, type Served } from '../support/served.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

const MB = 1024 * 1024

/** All that is offered passes a proxy that keeps it in a tenth of a second. */
const STOP_SECONDS = process.env['FAULTLINE_LONG'] ? 5 : 2

let cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanup.toReversed()) await undo()
  cleanup = []
})

/** Answers of the API and round trips of another connection while `trouble` lasts. */
async function expectOthersUndisturbed(served: Served, otherPort: number): Promise<void> {
  const other = await RawSocket.connect(otherPort)
  for (let i = 1; i <= 20; i++) {
    const startMs = performance.now()
    await served.api('/proxies')
    other.write('ping')
    await other.untilBytes(4 * i)
    // Both take a millisecond or two; something that waits for the trouble would take seconds.
    expect(performance.now() - startMs).toBeLessThan(500)
  }
  other.destroy()
}

describe('memory', () => {
  test(
    `stays bounded when a reader stops for ${STOP_SECONDS} s while 200 MB are offered, and every byte arrives`,
    { timeout: 60_000 },
    async () => {
      await using served = await startServed()
      const offered = 200 * MB
      await using upstream = await RawServer.start(({ socket }) => {
        socket.on('error', () => {})
        const chunk = Buffer.alloc(MB, 'x')
        let left = offered
        const push = (): void => {
          while (left > 0) {
            left -= chunk.length
            if (!socket.write(chunk)) return void socket.once('drain', push)
          }
          socket.end()
        }
        push()
      })
      const port = await served.proxy('p', upstream.address)
      const warm = await RawSocket.connect(port)
      warm.destroy()
      const idle = served.residentBytes()
      const client = await RawSocket.connect(port)
      client.socket.pause()
      let peak = 0
      const endMs = performance.now() + STOP_SECONDS * 1000
      while (performance.now() < endMs) {
        peak = Math.max(peak, served.residentBytes())
        await new Promise((resolve) => setTimeout(resolve, 50)) // sampling, not synchronisation
      }
      client.socket.removeAllListeners('data') // 200 MB are counted, not kept
      let received = 0
      client.socket.on('data', (chunk) => (received += chunk.length))
      client.socket.resume()
      while (client.ending === 'open') {
        peak = Math.max(peak, served.residentBytes())
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      expect(received).toBe(offered)
      expect((peak - idle) / MB).toBeLessThan(64)
    },
  )

  test('stays bounded when faults hold what is offered', { timeout: 60_000 }, async () => {
    await using served = await startServed()
    await using upstream = await RawServer.start()
    const port = await served.proxy('p', upstream.address)
    // Each for ever, at the default limit of 16 MiB for each of the first three.
    for (const [type, attributes] of [
      ['latency', { latency: 3_600_000 }],
      ['bandwidth', { rate: 0 }],
      ['reset_peer', { timeout: 3_600_000 }],
      ['slicer', { average_size: 1, delay: 1_000_000 }],
    ] as const) {
      await served.api('/proxies/p/toxics', { name: 't', type, stream: 'upstream', attributes })
      const idle = served.residentBytes()
      const client = await RawSocket.connect(port)
      const chunk = Buffer.alloc(MB, 'x')
      let offered = 0
      while (offered < 200 * MB && client.socket.writableLength < 32 * MB) {
        client.socket.write(chunk)
        offered += chunk.length
        await new Promise((resolve) => setImmediate(resolve))
      }
      // The sender was stopped: its own queue filled up instead of ours.
      expect(client.socket.writableLength, type).toBeGreaterThan(0)
      expect((served.residentBytes() - idle) / MB, type).toBeLessThan(64)
      client.destroy()
      await served.api('/proxies/p/toxics/t', undefined, 'DELETE')
    }
  })
})

describe('others are undisturbed by', () => {
  test('dials that hang', async () => {
    await using served = await startServed()
    await using echo = await RawServer.echo()
    const blackhole = await startBlackhole()
    const hanging = await served.proxy('hanging', blackhole)
    const other = await served.proxy('other', echo.address)
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawSocket.connect(hanging)))
    for (const client of clients) client.write('anybody there?')
    await expectOthersUndisturbed(served, other)
    expect(clients.every(({ ending }) => ending === 'open')).toBe(true)
    // A client that gives up ends the dial, too.
    for (const client of clients) client.reset()
    await expect.poll(async () => (await served.api('/v1/proxies/hanging')).connections).toBe(0)
  })

  test('clients that never read', async () => {
    await using served = await startServed()
    await using echo = await RawServer.echo()
    await using source = await RawServer.start(({ socket }) => {
      socket.on('error', () => {})
      socket.write(Buffer.alloc(50 * MB))
    })
    const flooded = await served.proxy('flooded', source.address)
    const other = await served.proxy('other', echo.address)
    const clients = await Promise.all(Array.from({ length: 10 }, () => RawSocket.connect(flooded)))
    for (const { socket } of clients) socket.pause()
    await expectOthersUndisturbed(served, other)
    for (const client of clients) client.destroy()
  })

  test('faults that hold data, and their removal', async () => {
    await using served = await startServed()
    await using echo = await RawServer.echo()
    await using sink = await RawServer.start()
    const held = await served.proxy('held', sink.address)
    const other = await served.proxy('other', echo.address)
    for (const type of ['latency', 'bandwidth', 'slicer', 'timeout', 'reset_peer', 'limit_data', 'slow_close']) {
      const attributes = { latency: 60_000, timeout: 60_000, delay: 60_000, average_size: 1, bytes: 1_000_000_000 }
      await served.api('/proxies/held/toxics', { name: 't', type, stream: 'upstream', attributes })
      const client = await RawSocket.connect(held)
      client.write(Buffer.alloc(10 * MB))
      await expectOthersUndisturbed(served, other)
      const startMs = performance.now()
      await served.api('/proxies/held/toxics/t', undefined, 'DELETE')
      // In Toxiproxy this can hang for as long as the toxic holds.
      expect(performance.now() - startMs, type).toBeLessThan(1000)
      client.destroy()
    }
  })
})

test('running out of file descriptors fails the connections that need one, and ends when some are free again', async () => {
  await using served = await startServed()
  await using echo = await RawServer.echo()
  const port = await served.proxy('p', echo.address)
  served.limitOpenFiles(80)
  const sockets = Array.from({ length: 200 }, () => new RawSocket(net.connect(port, '127.0.0.1')))
  cleanup.push(() => sockets.forEach((socket) => socket.destroy()))
  // Each proxied connection takes two descriptors, so most of the 200 must fail, and those that fail are told.
  await expect
    .poll(() => sockets.filter(({ ending }) => ending !== 'open').length, { timeout: 10_000 })
    .toBeGreaterThan(150)
  expect(served.process.exitCode).toBeNull()
  for (const socket of sockets) socket.destroy()
  await expect.poll(async () => (await served.api('/v1/proxies/p')).connections, { timeout: 10_000 }).toBe(0)
  const client = await RawSocket.connect(port)
  client.write('hello')
  await client.untilBytes(5)
  client.destroy()
})

/**
 * A server that never answers a SYN: it is stopped, and its queue of connections is full. Linux drops what comes then,
 * which is what a dial into a blackhole sees.
 */
async function startBlackhole(): Promise<string> {
  const code = `require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  cleanup.push(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  child.kill('SIGSTOP')
  const fillers: net.Socket[] = []
  cleanup.push(() => fillers.forEach((socket) => socket.destroy()))
  for (let hanging = false; !hanging && fillers.length < 20;) {
    const socket = net.connect(port, '127.0.0.1')
    fillers.push(socket)
    hanging = await new Promise((resolve) => {
      socket.once('connect', () => resolve(false))
      setTimeout(() => resolve(true), 300) // loopback connects in well under a millisecond
    })
  }
  return `127.0.0.1:${port}`
}
