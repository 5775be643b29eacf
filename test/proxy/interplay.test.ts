// Faults that meet: what one does to a connection while others hold bytes of it, and what listeners may do meanwhile.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { ManualClock } from '../../proxy/index.ts'
import { startProxied } from '../support/proxied.ts'

test.each(['latency', 'slicer'])(
  'a listener that heals at the first act of %s costs no byte and no order',
  async (type) => {
    await using proxied = await startProxied([
      { type, direction: 'upstream', attributes: type === 'latency' ? { latency: 20 } : { average_size: 3 } },
      { type: 'latency', name: 'behind', direction: 'upstream', attributes: { latency: 20 } },
    ])
    const { network } = proxied
    network.injections.subscribe(() => network.heal())
    const { client, server } = await proxied.connect()
    client.write('first message ')
    await expect.poll(() => network.injections.total).toBeGreaterThan(0)
    client.write('second message')
    await server.untilBytes(28)
    expect(server.text).toBe('first message second message')
  },
)

test('a listener that changes the fault which has just acted does not loop', async () => {
  await using proxied = await startProxied([
    { type: 'latency', name: 'l', direction: 'upstream', attributes: { latency: 5 } },
  ])
  const { network, proxy } = proxied
  network.injections.subscribe(() => proxy.updateFault('l', { attributes: { jitter: 1 } }))
  const { client, server } = await proxied.connect()
  client.write('x')
  await server.untilBytes(1)
  expect(network.injections.total).toBe(1)
})

test('nothing follows behind a close, even if the faults that made and held it are removed', async () => {
  const clock = new ManualClock()
  await using proxied = await startProxied(
    [
      { type: 'limit_data', name: 'limit', attributes: { bytes: 8_000_000 } },
      { type: 'latency', name: 'slow', attributes: { latency: 1000 } },
    ],
    { clock },
  )
  const { client, server } = await proxied.connect()
  client.socket.pause() // so that what is flushed stays in the write queue
  server.write(Buffer.alloc(8_000_000, 'A'))
  server.write(Buffer.alloc(1000, 'B')) // destroyed: the limit has been reached
  const { traffic } = proxied.proxy
  await expect.poll(() => traffic.downstream.receivedBytes).toBe(8_001_000)
  proxied.proxy.removeFault('limit')
  server.write(Buffer.alloc(1000, 'C')) // must not arrive behind that gap
  await expect.poll(() => traffic.downstream.receivedBytes).toBe(8_002_000)
  proxied.proxy.removeFault('slow')
  client.socket.resume()
  expect(await client.untilEnded()).toBe('FIN')
  expect(client.receivedBytes).toBe(8_000_000)
})

test('a stage that is ended while it is passing bytes on leaves no timer', async () => {
  // Over 64 KiB in one read: the first segment may be drawn a delay of 0, and the limit behind it ends the connection.
  for (let seed = 0; seed < 12; seed++) {
    const clock = new ManualClock()
    await using proxied = await startProxied(
      [
        { type: 'latency', direction: 'upstream', attributes: { jitter: 1000 } },
        { type: 'limit_data', direction: 'upstream', attributes: { bytes: 10 } },
      ],
      { clock, seed },
    )
    const { client } = await proxied.connect()
    client.write(randomBytes(300_000))
    await expect.poll(() => proxied.proxy.traffic.upstream.receivedBytes).toBe(300_000)
    clock.advance(2000)
    await proxied.network.close()
    expect(clock.pendingTimers).toBe(0)
    client.destroy()
  }
})
