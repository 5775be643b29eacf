// A WebSocket client and server of the package ws, with a proxy between them.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer, type ClientOptions, type ServerOptions } from 'ws'
import { Network, type Direction, type FaultProxy, type FaultSpec, type NetworkOptions } from '../../proxy/index.ts'
import { portOf } from './proxied.ts'
import { untilTrue } from './stream-faults.ts'
import { RawServer, RawSocket } from './sockets.ts'

/** One end: what it has seen, in order. */
export class Peer {
  readonly socket: WebSocket
  /** Messages as text, with `ping ` and `pong ` before those of control frames. */
  readonly seen: string[] = []
  /** Times (performance.now()) of the same. */
  readonly seenAtMs: number[] = []
  receivedBytes = 0
  closed: { code: number; reason: string } | undefined
  error: string | undefined

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => this.#see(data, ''))
    socket.on('ping', (data: Buffer) => this.#see(data, 'ping '))
    socket.on('pong', (data: Buffer) => this.#see(data, 'pong '))
    socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }))
    socket.on('error', (error) => (this.error = error.message))
  }

  #see(data: Buffer, kind: string): void {
    this.receivedBytes += data.length
    this.seenAtMs.push(performance.now())
    this.seen.push(kind + (data.length > 1000 ? `${data.length} bytes` : data.toString()))
  }

  send(...messages: (string | Buffer)[]): void {
    for (const message of messages) this.socket.send(message)
  }

  /** In frames of the given payloads; between them a ping each. */
  sendFragmented(...parts: string[]): void {
    parts.forEach((part, index) => {
      const fin = index === parts.length - 1
      this.socket.send(part, { fin, binary: false })
      if (!fin) this.socket.ping(`between ${index}`)
    })
  }

  async until(seen: number): Promise<void> {
    await untilTrue(() => this.seen.length >= seen, `${seen} messages; seen: ${this.seen.slice(0, 20).join(', ')}`)
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    await untilTrue(() => this.closed !== undefined, 'the close')
    return this.closed!
  }
}

export interface PeerPair {
  readonly client: Peer
  readonly server: Peer
  readonly sender: Peer
  readonly receiver: Peer
}

export interface WebSockets extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  /** Opens a connection; `direction` says who is the sender. */
  connect(options?: { direction?: Direction; path?: string } & ClientOptions): Promise<PeerPair>
}

/** @param faults in place before the first connection */
export async function startWebSockets(
  faults: readonly FaultSpec[] = [],
  options: NetworkOptions = {},
  serverOptions: ServerOptions = {},
): Promise<WebSockets> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...serverOptions })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const network = new Network({ seed: 1, ...options })
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: `127.0.0.1:${port}`, faults })
  return {
    network,
    proxy,
    async connect({ direction = 'downstream', path = '/chat', ...clientOptions } = {}) {
      const accepted = once(server, 'connection').then(([socket]) => new Peer(socket as WebSocket))
      const client = new Peer(
        new WebSocket(`ws://127.0.0.1:${portOf(proxy)}${path}`, { perMessageDeflate: false, ...clientOptions }),
      )
      await once(client.socket, 'open')
      const peer = await accepted
      return direction === 'upstream'
        ? { client, server: peer, sender: client, receiver: peer }
        : { client, server: peer, sender: peer, receiver: client }
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      for (const socket of server.clients) socket.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const UPGRADE = [
  'GET /chat HTTP/1.1',
  'Host: a.example',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n')

const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
  '\r\n',
].join('\r\n')

/** One end of a connection whose handshake is done, as bytes. */
export class RawPeer {
  readonly socket: RawSocket
  readonly #handshakeBytes: number

  constructor(socket: RawSocket, handshakeBytes: number) {
    this.socket = socket
    this.#handshakeBytes = handshakeBytes
  }

  /** Behind the handshake. */
  get received(): Buffer {
    return this.socket.received.subarray(this.#handshakeBytes)
  }

  async until(bytes: number): Promise<Buffer> {
    await this.socket.untilBytes(this.#handshakeBytes + bytes)
    return this.received
  }
}

export interface RawWebSockets extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  /** @param behind sent by the server in one piece with its answer */
  connect(
    direction?: Direction,
    behind?: Buffer,
  ): Promise<{ sender: RawPeer; receiver: RawPeer; client: RawPeer; server: RawPeer }>
}

/** The same with raw sockets at both ends. */
export async function startRawWebSockets(
  faults: readonly FaultSpec[] = [],
  options: NetworkOptions = {},
): Promise<RawWebSockets> {
  const upstream = await RawServer.start()
  const network = new Network({ seed: 1, ...options })
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: upstream.address, faults })
  return {
    network,
    proxy,
    async connect(direction = 'downstream', behind = Buffer.alloc(0)) {
      const accepted = upstream.next()
      const client = await RawSocket.connect(portOf(proxy))
      client.write(UPGRADE)
      const server = await accepted
      await server.untilBytes(UPGRADE.length)
      server.write(Buffer.concat([Buffer.from(SWITCHING), behind]))
      await client.untilBytes(SWITCHING.length)
      const ends = { client: new RawPeer(client, SWITCHING.length), server: new RawPeer(server, UPGRADE.length) }
      return direction === 'upstream'
        ? { ...ends, sender: ends.client, receiver: ends.server }
        : { ...ends, sender: ends.server, receiver: ends.client }
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      await upstream.close()
    },
  }
}
