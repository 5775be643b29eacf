import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { FaultSpec } from '../../../proxy/index.ts'
import { startProxied } from '../../support/proxied.ts'
import { untilTrue } from '../../support/stream-faults.ts'
import type { RawSocket } from '../../support/sockets.ts'

const lossy = (attributes: object, more: Partial<FaultSpec> = {}): FaultSpec => ({
  type: 'packet_loss',
  name: 'loss',
  direction: 'both',
  attributes: { rtt: 2, rtoMin: 10, ...attributes },
  ...more,
})

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function receives(socket: RawSocket, bytes: Buffer): Promise<void> {
  await socket.untilBytes(bytes.length)
  expect(digest(socket.received)).toBe(digest(bytes))
}

// With a third of the packets lost both ways little gets through before timeouts have grown to seconds, as in real life.
test.each([
  // 700 packets each way at least: none of them is lost in one run of a thousand, which its seed is not.
  [0.01, 1_000_000],
  [0.1, 200_000],
  [0.3, 3_000],
])('at a loss of %d every byte arrives, in order, both ways, and FIN behind them', async (loss, size) => {
  await using proxied = await startProxied([lossy({ loss })])
  const { client, server } = await proxied.connect()
  const up = randomBytes(size)
  const down = randomBytes(size)
  for (let at = 0; at < up.length; at += 7001) client.write(up.subarray(at, at + 7001))
  server.write(down)
  await Promise.all([receives(server, up), receives(client, down)])
  client.end()
  expect(await server.untilEnded()).toBe('FIN')
  server.end()
  expect(await client.untilEnded()).toBe('FIN')
  const actions = new Set(proxied.network.injections.entries({ fault: 'loss' }).map(({ action }) => action))
  expect(actions).toContain('lose_data')
})

test('without loss nothing waits and nothing is on record', async () => {
  await using proxied = await startProxied([lossy({ loss: 0, rtt: 60_000 })])
  const { client, server } = await proxied.connect()
  client.write('ping')
  await server.untilBytes(4)
  server.write('pong')
  await client.untilBytes(4)
  expect(proxied.network.injections.entries({ fault: 'loss' })).toEqual([])
})

test('where everything is lost nothing arrives, until the fault is changed or removed', async () => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  proxied.proxy.addFault(lossy({ loss: 1 }))
  client.write('one')
  await expect(server.untilBytes(1, 100)).rejects.toThrow('waited')
  proxied.proxy.updateFault('loss', { attributes: { loss: 0 } })
  await server.untilBytes(3)
  proxied.proxy.updateFault('loss', { attributes: { loss: 1 } })
  client.write('two')
  server.write('three')
  await expect(server.untilBytes(4, 100)).rejects.toThrow('waited')
  proxied.proxy.removeFault('loss')
  await server.untilBytes(6)
  await client.untilBytes(5)
  expect(server.text).toBe('onetwo')
  expect(client.text).toBe('three')
})

test('a new connection also waits for its handshake', async () => {
  await using proxied = await startProxied([lossy({ loss: 1 })])
  const { client, server } = await proxied.connect()
  client.write('x')
  await expect(server.untilBytes(1, 100)).rejects.toThrow('waited')
  expect(proxied.network.injections.entries({ fault: 'loss' }).map(({ action }) => action)).toEqual(['delay_handshake'])
  proxied.proxy.removeFault('loss')
  await server.untilBytes(1)
})

test('holds back a bounded part of what does not get through', async () => {
  await using proxied = await startProxied([lossy({ loss: 1 })])
  const { client } = await proxied.connect()
  client.write(Buffer.alloc(64 * 1024 * 1024))
  const [connection] = proxied.proxy.connections
  await untilTrue(() => (connection?.heldBytes ?? 0) >= 256 * 1024, 'as much as is held')
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  // One more read of the largest size may have been on its way.
  expect(connection?.heldBytes).toBeLessThan(1024 * 1024)
  expect(client.socket.writableLength).toBeGreaterThan(0)
})

async function losses(): Promise<unknown[]> {
  await using proxied = await startProxied([lossy({ loss: 0.2 })])
  const { client, server } = await proxied.connect()
  for (let round = 1; round <= 30; round++) {
    client.write(Buffer.alloc(100))
    await server.untilBytes(round * 100)
    server.write(Buffer.alloc(100))
    await client.untilBytes(round * 100)
  }
  return proxied.network.injections
    .entries({ fault: 'loss' })
    .filter(({ action, detail }) => action === 'lose_data' && detail['transmission'] === 1)
    .map(({ direction, detail }) => `${direction} ${detail['offset']}`)
    .toSorted()
}

test('the same seed loses the same packets', async () => {
  const first = await losses()
  expect(first.length).toBeGreaterThan(3)
  expect(await losses()).toEqual(first)
})

test.each([
  [{ loss: 1.5 }, 'attributes.loss'],
  [{ loss: -0.1 }, 'attributes.loss'],
  [{ rtt: 0 }, 'attributes.rtt'],
  [{ congestion: 'bbr' }, 'attributes.congestion'],
])('%j is refused by its name', async (attributes, field) => {
  await using proxied = await startProxied()
  expect(() => proxied.proxy.addFault(lossy(attributes))).toThrow(field)
})
