// How the admin server ends, and what it takes of connections.
import { once } from 'node:events'
import net from 'node:net'
import Fastify from 'fastify'
import { describe, expect, test, vi } from 'vitest'
import { startAdminServer } from '../../admin/index.ts'
import { limitConnections } from '../../admin/security/limits.ts'
import { send } from '../support/admin-requests.ts'
import { RawSocket } from '../support/sockets.ts'

/** How long to wait for what comes at once, on a machine that has much else to do. */
const patient = { timeout: 10_000 }

function refused(url: string): Promise<boolean> {
  return send(url, { path: '/healthz' }).then(
    () => false,
    () => true,
  )
}

describe('closing', () => {
  test('lets requests that are under way hear that the server is stopping', async () => {
    const server = await startAdminServer({ port: 0 })
    const port = Number(new URL(server.url).port)
    const paths = ['/healthz', '/v1/proxies', '/proxies']
    const sockets = await Promise.all(paths.map(() => RawSocket.connect(port)))
    const ended = sockets.map(({ socket }) => once(socket, 'end'))
    for (const [index, socket] of sockets.entries()) socket.write(`GET ${paths[index]} HTTP/1.1\r\nhost: localhost\r\n`)
    await send(server.url, { path: '/healthz' }) // the server has read the above, which was sent before

    const closed = server.close()
    await vi.waitUntil(() => refused(server.url), patient)
    for (const socket of sockets) socket.write('\r\n')
    await Promise.all(ended)
    const [health = '', own = '', toxiproxy = ''] = sockets.map(({ text }) => text)
    for (const text of [health, own, toxiproxy]) {
      expect(text).toMatch(/^HTTP\/1\.1 503 /)
      expect(text).toMatch(/connection: close/i)
    }
    expect(health).toContain('{"status":"stopping"}')
    expect(own).toContain('"code":"stopping"')
    expect(toxiproxy).toContain('{"error":"the server is stopping","status":503}')
    for (const { socket } of sockets) socket.destroy()
    await closed
  })

  test('removes all faults before it waits for anything', async () => {
    const server = await startAdminServer({ port: 0 })
    const proxy = await server.network.createProxy({ name: 'p', upstream: 'x:1', faults: [{ type: 'noop' }] })
    const half = await RawSocket.connect(Number(new URL(server.url).port))
    half.write('GET /healthz HTTP/1.1\r\n')
    await send(server.url, { path: '/healthz' })
    const closed = server.close()
    expect([...proxy.faults]).toEqual([])
    half.socket.destroy()
    await closed
  })

  test('takes no longer than a second, whatever clients do', async () => {
    const server = await startAdminServer({ port: 0 })
    const half = await RawSocket.connect(Number(new URL(server.url).port))
    half.write('POST /reset HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{')
    await send(server.url, { path: '/healthz' })
    const beganMs = performance.now()
    await server.close()
    const tookMs = performance.now() - beganMs
    // Waited for the client, and not for its request to time out, which is 30 s.
    expect(tookMs).toBeGreaterThan(900)
    expect(tookMs).toBeLessThan(5000)
    half.socket.destroy()
  })

  test('does not wait for connections that are not used', async () => {
    const server = await startAdminServer({ port: 0 })
    const port = Number(new URL(server.url).port)
    const idle = await RawSocket.connect(port)
    const kept = await RawSocket.connect(port)
    kept.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await vi.waitUntil(() => kept.text.includes('{"status":"ok"}'), patient)
    const beganMs = performance.now()
    await server.close()
    // Below the second that it waits for requests.
    expect(performance.now() - beganMs).toBeLessThan(900)
    for (const { socket } of [idle, kept]) socket.destroy()
  })
})

test.each([
  ['server-sent events', { accept: 'text/event-stream' }],
  [
    'a WebSocket',
    {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'A'.repeat(22) + '==',
    },
  ],
])('%s end when the server closes, also if the client does not do its part', async (_name, headers) => {
  const server = await startAdminServer({ port: 0 })
  const stream = await RawSocket.connect(Number(new URL(server.url).port))
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  stream.write(`GET /v1/events HTTP/1.1\r\nhost: localhost\r\n${lines.join('')}\r\n`)
  await vi.waitUntil(() => /^HTTP\/1.1 (101|200) /.test(stream.text), patient)
  const beganMs = performance.now()
  await server.close()
  // A second at most, and what a loaded machine adds.
  expect(performance.now() - beganMs).toBeLessThan(3000)
  stream.socket.destroy()
})

test('a connection beyond the limit makes room by closing those that only wait', async () => {
  const app = Fastify()
  limitConnections(app, 2)
  app.get('/', () => 'hello')
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const port = Number(new URL(url).port)
  const waiting = await Promise.all([1, 2].map(() => RawSocket.connect(port)))
  for (const socket of waiting) socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await vi.waitUntil(() => waiting.every(({ text }) => text.endsWith('hello')), patient)

  const dropped = net.connect(port, '127.0.0.1').on('error', () => undefined)
  await Promise.all([once(dropped, 'close'), ...waiting.map(({ socket }) => once(socket, 'end'))])
  for (const { socket } of waiting) socket.destroy()
  await vi.waitUntil(async () => (await send(url, { path: '/' }).catch(() => undefined))?.text === 'hello', patient)
  await app.close()
})
