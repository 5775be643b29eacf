// One conversation of a client with a server, as data: so that the same can be held with the server itself, through a
// proxy, and in pieces of any size.
import net from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { readMessages } from '../../../support/postgres-backend.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import { RawServer, RawSocket } from '../../../support/sockets.ts'

/** What is sent at once, and so many messages of a type that are waited for then; `end`: for the server's end. */
export type Step = readonly [send: readonly Buffer[], type?: string, count?: number]

export interface Exchange {
  /**
   * The server hangs up before it has read all, which resets the connection: whoever writes at that moment, such as what
   * cuts the bytes here, may lose what the server has said last.
   */
  readonly leavesUnread?: boolean
  readonly name: string
  /** Requests before the StartupMessage, each answered by one byte. */
  readonly before?: readonly Buffer[]
  readonly parameters?: Readonly<Record<string, string>>
  readonly version?: number
  /** The first ReadyForQuery does not come, or is waited for by the steps. */
  readonly noLogin?: true
  readonly steps: readonly Step[]
  /** Parts of answers that differ from one connection to the next. */
  readonly differs?: RegExp
  /** Bytes the client sends after the last step, before it waits for the end. Default: Terminate. */
  readonly last?: Buffer
}

/** The sizes of the pieces in which bytes go over the wire. */
export type Cut = () => number

export const whole: Cut = () => Infinity
export const bytewise: Cut = () => 1

/** Pieces of 1 to 40 bytes. */
export function randomly(seed: number): Cut {
  let state = seed
  return () => {
    // Park and Miller's generator: good enough for cutting, and the same in every run.
    state = (state * 48_271) % 2_147_483_647
    return 1 + (state % 40)
  }
}

/** Every message of the server as text, one a line, and how the connection ended. */
export async function hold(exchange: Exchange, port: number, cut: Cut = whole): Promise<string[]> {
  const socket = await RawSocket.connect(port)
  const lines: string[] = []
  let readBytes = 0
  const read = (): readonly string[] => {
    if (socket.receivedBytes === readBytes) return lines
    const { received } = socket
    const { messages, left } = readMessages(received.subarray(readBytes))
    readBytes = received.length - left.length
    lines.push(...messages.map(({ type, bytes }) => lineOf(type, bytes, exchange.differs)))
    return lines
  }
  const awaits = async (type: string, count: number): Promise<void> => {
    if (type === 'end') return void (await socket.untilEnded())
    const has = (): boolean => read().filter((line) => line[0] === type).length >= count
    await socket.until(() => has() || socket.ending !== 'open', `${count} ${type}; so far: ${lines.join('\n')}`)
    if (!has()) throw new Error(`ended by ${socket.ending} before ${count} ${type}: ${lines.join('\n')}`)
  }
  try {
    for (const request of exchange.before ?? []) {
      await send(socket, request, cut)
      await socket.untilBytes(readBytes + 1)
      lines.push(`byte ${socket.text.slice(readBytes)}`)
      readBytes++
    }
    const { parameters, version, noLogin, steps, last = frontend.terminate() } = exchange
    const startup = frontend.startup({ user: 'postgres', database: 'postgres', ...parameters }, version)
    const login: readonly Step[] = noLogin ? [[[startup], '']] : [[[startup]]]
    for (const [messages, type = 'Z', count = 1] of [...login, ...steps]) {
      const before = read().filter((line) => line[0] === type).length
      await send(socket, Buffer.concat(messages), cut)
      if (type !== '') await awaits(type, before + count)
    }
    if (socket.ending === 'open') await send(socket, last, cut)
    socket.end()
    lines.push(`the end: ${await socket.untilEnded()}`)
    return [...read()]
  } finally {
    socket.destroy()
  }
}

async function send(socket: RawSocket, bytes: Buffer, cut: Cut): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(at + cut(), bytes.length)
    socket.write(bytes.subarray(at, end))
    at = end
    // Once round the event loop: what is in the same process has read the piece by itself then.
    if (at < bytes.length) await setImmediate()
  }
}

function lineOf(type: string, bytes: Buffer, differs: RegExp | undefined): string {
  const body = bytes.subarray(5)
  // Process and key are a connection's own; a notification begins with the process that has sent it.
  if (type === 'K') return `K of ${body.length} bytes`
  const text = body.toString('latin1', type === 'A' ? 4 : 0)
  return `${type} ${differs ? text.replace(differs, '…') : text}`
}

/** Passes connections on to a server, whose answers come in pieces. */
export async function startCutter(port: number, cut: Cut): Promise<RawServer> {
  return RawServer.start(({ socket: client }) => {
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    // Not to be collected by the RawSocket.
    client.removeAllListeners('data')
    client.pipe(server)
    client.on('close', () => server.destroy())
    relay(server, client, cut).catch(() => client.destroy())
  })
}

async function relay(from: net.Socket, to: net.Socket, cut: Cut): Promise<void> {
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; await setImmediate()) {
      const end = Math.min(at + cut(), chunk.length)
      to.write(chunk.subarray(at, end))
      at = end
    }
  }
  to.end()
}
