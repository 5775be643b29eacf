// A WebSocket connection through the proxy, with no fault or with faults that never match: nobody can tell.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { acts, directions, heldBytes, untilTrue } from '../../../support/stream-faults.ts'
import { encode, frame } from '../../../support/websocket-frames.ts'
import { RawServer, RawSocket } from '../../../support/sockets.ts'
import { Peer, startRawWebSockets, startWebSockets } from '../../../support/websocket-proxied.ts'

const types = [
  { type: 'websocket_delay', attributes: { delayMs: 1000 } },
  { type: 'websocket_drop' },
  { type: 'websocket_close' },
  { type: 'websocket_stall' },
  { type: 'websocket_corrupt' },
]

/** Passes on what it gets, and keeps a copy. */
class Tap implements AsyncDisposable {
  readonly #server: RawServer
  readonly #behind: readonly RawSocket[]

  private constructor(server: RawServer, behind: readonly RawSocket[]) {
    this.#server = server
    this.#behind = behind
  }

  static async start(target: string): Promise<Tap> {
    const [host = '', port = ''] = target.split(':')
    const behind: RawSocket[] = []
    const server = await RawServer.start(({ socket }) => {
      const dialled = net.connect({ host, port: Number(port), allowHalfOpen: true })
      socket.pipe(dialled)
      dialled.pipe(socket)
      behind.push(new RawSocket(dialled))
    })
    return new Tap(server, behind)
  }

  get port(): number {
    return this.#server.port
  }

  get upstream(): Buffer {
    return this.#server.sockets[0]!.received
  }

  get downstream(): Buffer {
    return this.#behind[0]!.received
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#behind) socket.destroy()
    await this.#server.close()
  }
}

/** Each looks at all frames, and some at all text. */
const neverMatching: FaultSpec[] = directions.flatMap((direction) => [
  ...types.map((spec) => ({ ...spec, direction, probability: 0 })),
  ...types.map((spec) => ({
    ...spec,
    name: `${spec.type} ${direction} text`,
    direction,
    match: { text: 'never §' },
  })),
])

describe.each([
  ['with no fault', []],
  ['with faults that never match', neverMatching],
] as [string, FaultSpec[]][])('%s', (_, faults) => {
  test('messages of every kind and size pass both ways, and so does the close', async () => {
    await using sockets = await startWebSockets(faults)
    const { client, server } = await sockets.connect()
    for (const [sender, receiver] of [
      [client, server],
      [server, client],
    ] as const) {
      const received: Buffer[] = []
      const mebibyte = randomBytes(1_048_576)
      receiver.socket.on('message', (data: Buffer) => received.push(data))
      sender.send('text ü', '', Buffer.from([0, 255]), Buffer.alloc(0), mebibyte)
      sender.sendFragmented('frag', 'ment', 'ed')
      sender.socket.ping('p'.repeat(125))
      await untilTrue(() => receiver.seen.at(-1) === `ping ${'p'.repeat(125)}`, 'the ping')
      expect(receiver.seen.filter((seen) => !seen.startsWith('pong'))).toEqual([
        'text ü',
        '',
        '\0\ufffd',
        '',
        '1048576 bytes',
        'ping between 0',
        'ping between 1',
        'fragmented',
        `ping ${'p'.repeat(125)}`,
      ])
      expect(received[4]!.equals(mebibyte)).toBe(true)
    }
    client.socket.close(4999, 'over and out')
    expect(await server.untilClosed()).toEqual({ code: 4999, reason: 'over and out' })
    expect(await client.untilClosed()).toEqual({ code: 4999, reason: 'over and out' })
    expect([acts(sockets.network), sockets.network.events.total]).toEqual([[], 0])
  })

  test('permessage-deflate is negotiated, and every byte of it passes as it is', async () => {
    await using sockets = await startWebSockets([], {}, { perMessageDeflate: { threshold: 0 } })
    await using behind = await Tap.start(sockets.proxy.upstream)
    const upstream = `127.0.0.1:${behind.port}`
    const proxy = await sockets.network.createProxy({ name: 'tapped', protocol: 'http', upstream, faults })
    await using before = await Tap.start(proxy.listen)
    const options = { perMessageDeflate: { threshold: 0 } }
    const client = new Peer(new WebSocket(`ws://127.0.0.1:${before.port}/`, options))
    await once(client.socket, 'open')
    expect(client.socket.extensions).toBe('permessage-deflate')
    client.send('compressible '.repeat(1000), randomBytes(5000))
    client.socket.ping()
    await client.until(1)
    client.socket.close(1000)
    await client.untilClosed()
    await untilTrue(() => proxy.connections.size === 0, 'the end of the connection')
    // The text alone has 13,000 bytes without compression.
    expect(before.upstream.length).toBeGreaterThan(5000)
    expect(before.upstream.length).toBeLessThan(7000)
    expect(before.upstream.equals(behind.upstream)).toBe(true)
    expect(before.downstream.equals(behind.downstream)).toBe(true)
    // Faults that look at text say that they can't; once each, as there is text in one direction only.
    const events = sockets.network.events.entries({ proxy: 'tapped' })
    expect(events.map(({ type }) => type)).toEqual(faults.length > 0 ? types.map(() => 'fault_not_applied') : [])
  })

  test('a message of 16 MiB passes in bounded memory', async () => {
    await using sockets = await startWebSockets(faults)
    const { client, server } = await sockets.connect()
    const large = randomBytes(16 * 1024 * 1024)
    let mostHeldBytes = 0
    const watch = setInterval(() => (mostHeldBytes = Math.max(mostHeldBytes, heldBytes(sockets.proxy))), 1)
    const received: Buffer[] = []
    for (const peer of [client, server]) peer.socket.on('message', (data: Buffer) => received.push(data))
    client.send(large)
    server.send(large.toString('base64').slice(0, large.length))
    await untilTrue(() => received.length === 2, 'both messages')
    clearInterval(watch)
    expect(received.some((data) => data.equals(large))).toBe(true)
    // Text is held until 64 KiB of it have come, by each of the five faults that look at it.
    expect(mostHeldBytes).toBeLessThanOrEqual(5 * (65_536 + 65_536))
    expect(heldBytes(sockets.proxy)).toBe(0)
  })
})

describe.each(directions)('%s', (direction) => {
  test('bytes that are no frames pass, both ways, and are reported once', async () => {
    await using sockets = await startRawWebSockets([{ type: 'websocket_drop', direction }])
    const { sender, receiver } = await sockets.connect(direction)
    const good = encode(direction, frame('ping', 'p'))
    const garbage = Buffer.concat([good, Buffer.from('no frames at all '.repeat(1000))])
    sender.socket.write(garbage)
    expect((await receiver.until(garbage.length)).equals(garbage)).toBe(true)
    const other = direction === 'upstream' ? 'downstream' : 'upstream'
    const dropped = encode(direction, frame('text', 'is dropped no more'))
    sender.socket.write(dropped)
    receiver.socket.write(encode(other, frame('text', 'back')))
    await receiver.until(garbage.length + dropped.length)
    await sender.until(encode(other, frame('text', 'back')).length)
    expect(sockets.network.events.entries().map(({ type, detail }) => [type, detail])).toEqual([
      ['opaque', { protocol: 'websocket', direction, reason: 'a reserved opcode' }],
    ])
    expect(sockets.proxy.counters.opaqueConnections).toBe(1)
  })

  test('half a close, and RST, pass', async () => {
    await using sockets = await startRawWebSockets(neverMatching)
    const ended = await sockets.connect(direction)
    ended.sender.socket.end()
    expect(await ended.receiver.socket.untilEnded()).toBe('FIN')
    const other = direction === 'upstream' ? 'downstream' : 'upstream'
    const back = encode(other, frame('text', 'still open this way'))
    ended.receiver.socket.write(back)
    expect(await ended.sender.until(back.length)).toEqual(back)
    const reset = await sockets.connect(direction)
    reset.sender.socket.reset()
    expect(await reset.receiver.socket.untilEnded()).toBe('ECONNRESET')
  })
})

test('frames that come in one piece with the answer to the handshake are seen as frames', async () => {
  await using sockets = await startRawWebSockets([{ type: 'websocket_drop', match: { opcode: 'text' } }])
  const [text, binary] = [frame('text', 'dropped'), frame('binary', 'passes')].map((each) => encode('downstream', each))
  const { client } = await sockets.connect('downstream', Buffer.concat([text!, binary!]))
  expect(await client.until(binary!.length)).toEqual(binary)
  expect(acts(sockets.network)).toHaveLength(1)
})

test('faults of HTTP may come, change and go on a connection that has been upgraded', async () => {
  await using sockets = await startWebSockets()
  const { client, server } = await sockets.connect()
  sockets.proxy.addFault({ type: 'http_delay', name: 'other', attributes: { delayMs: 60_000 } })
  sockets.proxy.updateFault('other', { attributes: { delayMs: 1 } })
  sockets.proxy.removeFault('other')
  client.send('x')
  await server.until(1)
})

test('a request for another protocol than WebSocket is left alone', async () => {
  await using sockets = await startRawWebSockets([{ type: 'websocket_drop' }])
  const upstream = await RawServer.start()
  await using _ = upstream
  const proxy = await sockets.network.createProxy({
    name: 'other',
    protocol: 'http',
    upstream: upstream.address,
    faults: [{ type: 'websocket_drop' }],
  })
  const accepted = upstream.next()
  const client = await RawSocket.connect(proxy.port!)
  client.write('GET / HTTP/1.1\r\nHost: a\r\nUpgrade: chat/2\r\nConnection: upgrade\r\n\r\n')
  const server = await accepted
  const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat/2\r\nConnection: upgrade\r\n\r\n'
  const behind = encode('downstream', frame('text', 'looks like one'))
  server.write(Buffer.concat([Buffer.from(answer), behind]))
  await client.untilBytes(answer.length + behind.length)
  expect(acts(sockets.network)).toEqual([])
})
