// An admin server on a socket, and readers of its feed that say exactly what came.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket } from 'ws'
import { buildAdminApp, type AdminServerOptions } from '../../admin/server.ts'
import { Network, type NetworkOptions } from '../../proxy/index.ts'
import { RawSocket } from './sockets.ts'

export interface ServedFeed extends AsyncDisposable {
  readonly network: Network
  readonly url: string
  /** Opens a stream of server-sent events and waits for its head. */
  events(path?: string, headers?: Readonly<Record<string, string>>): Promise<EventReader>
  socket(path?: string, headers?: Readonly<Record<string, string>>): Promise<SocketReader>
  /** Of the API, as JSON. */
  get(path: string): Promise<any>
  close(): Promise<void>
}

export async function serveFeed(options: NetworkOptions = {}, admin: AdminServerOptions = {}): Promise<ServedFeed> {
  const network = new Network({ seed: 1, ...options })
  const app = await buildAdminApp(network, admin)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    network,
    url,
    events: (path, headers) => EventReader.open(port, path, headers),
    socket: (path, headers) => SocketReader.open(port, path, headers),
    get: async (path) => (await fetch(url + path)).json(),
    close: () => app.close(),
    async [Symbol.asyncDispose]() {
      await app.close()
      await network.close()
    },
  }
}

/** Server-sent events over a raw socket, so that it can stop reading. */
export class EventReader {
  readonly raw: RawSocket

  private constructor(raw: RawSocket) {
    this.raw = raw
  }

  static async open(
    port: number,
    path = '/v1/events',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<EventReader> {
    const raw = await RawSocket.connect(port)
    const lines = Object.entries({ host: `127.0.0.1:${port}`, accept: 'text/event-stream', ...headers })
    raw.write(`GET ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
    await raw.until(() => raw.text.includes('\r\n\r\n'), 'a head')
    return new EventReader(raw)
  }

  get head(): string {
    return this.raw.text.split('\r\n\r\n', 1)[0] ?? ''
  }

  /** Without the framing of chunks, which come one write at a time. */
  get text(): string {
    const body = this.raw.received.toString('utf8').slice(this.head.length + 4)
    return body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '')
  }

  /** Whole events so far. */
  get events(): any[] {
    const blocks = this.text.split('\n\n').slice(0, -1)
    return blocks.flatMap((block) => {
      const data = /^data: (.*)$/m.exec(block)?.[1]
      return data === undefined ? [] : [JSON.parse(data)]
    })
  }

  async until(count: number): Promise<any[]> {
    await this.raw.until(() => this.events.length >= count, `${count} events`)
    return this.events
  }

  /** For long streams: looks at what comes only, and not at all of it each time. */
  untilText(text: string): Promise<void> {
    let tail = ''
    return new Promise((resolve) => {
      this.raw.socket.on('data', (chunk) => {
        const seen = tail + chunk.toString('latin1')
        if (seen.includes(text)) resolve()
        tail = seen.slice(-text.length)
      })
    })
  }

  close(): void {
    this.raw.destroy()
  }
}

export class SocketReader {
  readonly socket: WebSocket
  readonly events: any[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  #wake = (): void => {}

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      this.events.push(JSON.parse(data.toString('utf8')))
      this.#wake()
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
  }

  static async open(
    port: number,
    path = '/v1/events',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<SocketReader> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
    const reader = new SocketReader(socket)
    await once(socket, 'open')
    return reader
  }

  async until(count: number): Promise<any[]> {
    while (this.events.length < count) await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.events
  }

  close(): void {
    this.socket.terminate()
  }
}

/** Resolves when the server has noticed: its streams are as many. */
export async function untilReaders(served: ServedFeed, count: number): Promise<void> {
  while ((await served.get('/v1/status')).streams !== count) await new Promise(setImmediate)
}
