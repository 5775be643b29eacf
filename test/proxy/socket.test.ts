// What proxy/socket.ts relies on and Node's manual does not promise. Runs on every supported version.
import { once } from 'node:events'
import net from 'node:net'
import { expect, test } from 'vitest'
import { adoptSocket, createListener, finishSocket, resetSocket, type ReadInto } from '../../proxy/socket.ts'

async function accept(onread: ReadInto): Promise<{ server: net.Server; client: net.Socket; adopted: net.Socket }> {
  const server = createListener((socket) => void server.emit('test:adopted', adoptSocket(socket, onread)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = net.connect({ port: (server.address() as net.AddressInfo).port, allowHalfOpen: true })
  const [adopted] = (await once(server, 'test:adopted')) as [net.Socket]
  return { server, client, adopted }
}

test('an adopted socket reads into the given buffer, asks for the next one after each read, and can pause', async () => {
  const buffers = [Buffer.alloc(100), Buffer.alloc(50)]
  const reads: { length: number; buffer: Uint8Array }[] = []
  let asked = 0
  const { server, client, adopted } = await accept({
    buffer: () => buffers[asked++ % 2]!,
    callback: (length, buffer) => {
      reads.push({ length, buffer })
      adopted.emit('test:read')
      return reads.length !== 2
    },
  })
  client.write(Buffer.alloc(170, 'a'))
  while (reads.length < 2) await once(adopted, 'test:read')
  expect(reads.map(({ length, buffer }) => [length, buffer === buffers[0]])).toEqual([
    [100, true],
    [50, false],
  ])
  // The second callback returned false: nothing more is read until resume().
  await new Promise((resolve) => setImmediate(resolve))
  expect(reads).toHaveLength(2)
  adopted.resume()
  while (reads.length < 3) await once(adopted, 'test:read')
  expect(reads[2]).toMatchObject({ length: 20 })
  client.end()
  await once(adopted, 'end')
  adopted.end()
  const closed = once(server, 'close')
  server.close()
  await closed // the adopted socket is counted as the server's connection, and no longer
})

test('a reset is an RST, also of a socket whose FIN still waits behind unsent bytes', async () => {
  const onread = { buffer: () => Buffer.alloc(100), callback: () => true }
  const first = await accept(onread)
  resetSocket(first.adopted)
  const [error] = (await once(first.client, 'error')) as [NodeJS.ErrnoException]
  expect(error.code).toBe('ECONNRESET')
  first.server.close()

  const second = await accept(onread)
  second.client.pause()
  second.adopted.write(Buffer.alloc(50_000_000)) // more than the kernel takes
  finishSocket(second.adopted)
  const seen = once(second.client, 'error')
  resetSocket(second.adopted)
  await once(second.adopted, 'close')
  second.client.resume()
  expect(await seen).toMatchObject([{ code: 'ECONNRESET' }])
  second.server.close()
})

test('a finished socket sends FIN behind what was written', async () => {
  const { server, client, adopted } = await accept({ buffer: () => Buffer.alloc(100), callback: () => true })
  client.pause()
  let received = 0
  client.on('data', (chunk) => (received += chunk.length))
  adopted.write(Buffer.alloc(20_000_000))
  finishSocket(adopted)
  client.resume()
  await once(client, 'end')
  expect(received).toBe(20_000_000)
  client.end()
  server.close()
})

test('a reset is an RST also to a peer that is connected already, when we do not know yet that we are', async () => {
  const { server, client } = await accept({ buffer: () => Buffer.alloc(100), callback: () => true })
  client.destroy()
  const ended = new Promise<unknown>((resolve) => {
    server.once('test:adopted', (adopted: net.Socket) => {
      adopted.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code)).on('end', () => resolve('FIN'))
    })
  })
  const connecting = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  await new Promise((resolve) => process.nextTick(resolve)) // so long net waits before it asks the kernel
  expect(connecting.connecting).toBe(true) // on loopback the kernel is further
  resetSocket(connecting)
  expect(await ended).toBe('ECONNRESET')
  expect(connecting.destroyed).toBe(true)
  server.close()
})

test('a reset ends a socket that has not even looked up where to connect to', async () => {
  const socket = net.connect(9, 'localhost')
  resetSocket(socket)
  await once(socket, 'close')
})
