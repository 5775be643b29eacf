// Raw sockets for tests: clients and servers that say exactly what they see.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'

/** How a socket ended: by FIN, by RST (or another error, by its code), or not yet. */
export type Ending = 'open' | 'FIN' | 'ECONNRESET' | (string & {})

const NOTHING = Buffer.alloc(0)

/** A socket that collects what it receives. Reads until told to {@link RawSocket.pause}. */
export class RawSocket {
  readonly socket: net.Socket
  #chunks: Buffer[] = []
  #bytes = 0
  #ending: Ending = 'open'
  /** Times (performance.now()) and sizes of arrivals. */
  readonly arrivals: { atMs: number; bytes: number }[] = []
  #waiters = new Set<() => void>()

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk)
      this.#bytes += chunk.length
      this.arrivals.push({ atMs: performance.now(), bytes: chunk.length })
      this.#wake()
    })
    socket.on('end', () => this.#sourceEnded())
    socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? 'error'))
    socket.on('close', () => this.#wake())
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawSocket> {
    const socket = net.connect({ port, host, allowHalfOpen: true })
    await once(socket, 'connect')
    return new RawSocket(socket)
  }

  get ending(): Ending {
    return this.#ending
  }

  get receivedBytes(): number {
    return this.#bytes
  }

  /** Everything received so far. */
  get received(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  write(data: string | Buffer): void {
    this.socket.write(data)
  }

  /** Sends FIN; goes on reading. */
  end(data?: string | Buffer): void {
    if (data === undefined) this.socket.end()
    else this.socket.end(data)
  }

  /** Sends RST. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Waits until `condition` holds; fails with what was seen after `timeoutMs`. */
  async until(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!condition()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) {
        throw new Error(`waited ${timeoutMs} ms for ${what}; received ${this.#bytes} bytes, ending: ${this.#ending}`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, leftMs)
        const waiters = this.#waiters
        function wake(): void {
          clearTimeout(timer)
          waiters.delete(wake)
          resolve()
        }
        waiters.add(wake)
      })
    }
  }

  untilBytes(bytes: number, timeoutMs?: number): Promise<void> {
    return this.until(() => this.#bytes >= bytes, `${bytes} bytes`, timeoutMs)
  }

  /** Waits for FIN, RST or another error, and says which. */
  async untilEnded(timeoutMs?: number): Promise<Ending> {
    await this.until(() => this.#ending !== 'open', 'the end', timeoutMs)
    return this.#ending
  }

  /**
   * libuv reports bytes with an RST right behind them as bytes and FIN. An empty write tells the two apart: after an
   * RST it fails. Where one can't be made, FIN is believed.
   */
  #sourceEnded(): void {
    const { socket } = this
    if (!socket.writable || socket.writableLength > 0) this.#end('FIN')
    else socket.write(NOTHING, (error) => !error && this.#end('FIN'))
  }

  /** RST after FIN is an ending of its own: the last one counts. */
  #end(ending: Ending): void {
    this.#ending = ending
    this.#wake()
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
  }
}

/** A TCP server on a free port of 127.0.0.1, closed by `await using`. */
export class RawServer {
  readonly #server: net.Server
  readonly sockets: RawSocket[] = []
  readonly #raw = new Set<net.Socket>()
  #waiters: ((socket: RawSocket) => void)[] = []

  private constructor(onSocket: (socket: RawSocket) => void) {
    this.#server = net.createServer({ allowHalfOpen: true }, (accepted) => {
      this.#raw.add(accepted)
      accepted.on('close', () => this.#raw.delete(accepted))
      const socket = new RawSocket(accepted)
      this.sockets.push(socket)
      this.#waiters.shift()?.(socket)
      onSocket(socket)
    })
  }

  static async start(onSocket: (socket: RawSocket) => void = () => {}): Promise<RawServer> {
    const server = new RawServer(onSocket)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  /** Sends back what it gets, FIN included. */
  static echo(): Promise<RawServer> {
    return RawServer.start(({ socket }) => socket.pipe(socket))
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** The next connection to be accepted. Ask before connecting. */
  next(): Promise<RawSocket> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#raw) socket.destroy()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/**
 * A port on which nobody listens. It is below those that Linux, macOS and Windows give to sockets that don't ask for a
 * port (from 32768 or 49152): one of those may be the client's end of somebody's connection by the time it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = net.createServer().listen(randomInt(10_000, 32_768), '127.0.0.1')
    const port = await once(server, 'listening').then(
      () => (server.address() as net.AddressInfo).port,
      () => undefined,
    )
    if (port === undefined) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
