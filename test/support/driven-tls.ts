// One TLS end of the proxy on a real socket, and Node's own TLS at the other end.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { afterEach, vi } from 'vitest'
import { clientContextFor, secureContextFor } from '../../proxy/protocols/postgres/tls-identity.ts'
import { makeSelfSigned } from '../../proxy/protocols/postgres/tls-self-signed.ts'
import {
  TlsSide,
  type PlainInput,
  type TlsOwner,
  type TlsResult,
  type TlsSettings,
} from '../../proxy/protocols/postgres/tls.ts'
import type { MessageOutput } from '../../proxy/protocols/protocol.ts'

export const own = makeSelfSigned()
export const asServer: TlsSettings = { role: 'server', secureContext: secureContextFor(own, '').secureContext }
export const asClient: TlsSettings = {
  role: 'client',
  serverName: 'localhost',
  secureContext: clientContextFor({}, ''),
}
export const patience = { timeout: 10_000, interval: 1 }
const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A TLS end on a socket, as a connection would drive it: what it is given is lent, cut, and paused when it says so. */
export class Driven implements TlsOwner, PlainInput {
  readonly side: TlsSide
  readonly socket: net.Socket
  result: TlsResult | undefined
  /** Everything but bytes, in order. */
  readonly seen: string[] = []
  receivedBytes = 0
  readonly hash = createHash('sha256')
  text = ''
  full = false
  drains = 0
  /** Reads whatever the TLS end says. */
  readsOn = false
  afterWrite = (): void => {}

  constructor(socket: net.Socket, settings: TlsSettings, sizes: readonly number[] = [1 << 20]) {
    this.socket = socket
    let turn = 0
    const ciphertext: MessageOutput = {
      get full() {
        return socket.writableNeedDrain
      },
      write: (chunk) => void socket.write(Buffer.from(chunk)),
      end: () => void (this.seen.push('sent end'), socket.end()),
      close: () => void (this.seen.push('sent close'), socket.end()),
      reset: () => void socket.resetAndDestroy(),
      updateFlow() {},
    }
    this.side = new TlsSide(settings, ciphertext, this, this)
    socket.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; turn++) {
        const piece = chunk.subarray(at, at + (sizes[turn % sizes.length] ?? 1))
        at += piece.length
        this.side.receive(piece)
        // Memory is only lent.
        piece.fill(0xaa)
      }
    })
    socket.on('drain', () => this.side.ciphertextDrained())
    socket.on('end', () => this.side.receiveEnd())
    socket.on('error', () => this.side.receiveReset())
    cleanups.push(() => (this.side.destroy(), socket.destroy()))
  }

  /** Writes in pieces, never more than is wanted. */
  async sendAll(data: Buffer, sizes: readonly number[]): Promise<void> {
    for (let at = 0, turn = 0; at < data.length; turn++) {
      if (this.side.full) await vi.waitUntil(() => !this.side.full, patience)
      const piece = Buffer.from(data.subarray(at, at + (sizes[turn % sizes.length] ?? 1)))
      at += piece.length
      this.side.write(piece)
      piece.fill(0xaa)
    }
  }

  write(chunk: Buffer): void {
    this.receivedBytes += chunk.length
    this.hash.update(chunk)
    if (this.text.length < 100) this.text += chunk.toString('latin1')
    this.afterWrite()
  }
  end(): void {
    this.seen.push('end')
  }
  reset(): void {
    this.seen.push('reset')
  }
  secured(result: TlsResult): void {
    this.result = result
    this.seen.push('secured')
  }
  failed(reason: string): void {
    this.seen.push(`failed: ${reason}`)
    this.side.close()
  }
  flowChanged(): void {
    if (this.side.receivingFull && !this.readsOn) this.socket.pause()
    else this.socket.resume()
  }
  drained(): void {
    this.drains++
  }
  async until(event: string): Promise<void> {
    await vi
      .waitUntil(() => this.seen.includes(event), patience)
      .catch(() => {
        throw new Error(`waited for ${event}, saw ${this.seen.join() || 'nothing'}`)
      })
  }
}

/** A connection between two sockets: what accepted it, and what made it. */
export async function connected(): Promise<[accepted: net.Socket, made: net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const made = net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(made, 'connect')])) as [
    [net.Socket],
    unknown,
  ]
  server.close()
  for (const socket of [accepted, made]) socket.setNoDelay(true).on('error', () => {})
  cleanups.push(() => (accepted.destroy(), made.destroy()))
  return [accepted, made]
}

export type Role = TlsSettings['role']
export interface PairOptions {
  readonly version?: tls.SecureVersion
  readonly sizes?: readonly number[]
  readonly peer?: tls.TLSSocketOptions & tls.ConnectionOptions
  readonly settings?: TlsSettings
}

/** A TLS end of a role, and Node's own of the other one. */
export async function pair(role: Role, options: PairOptions = {}): Promise<{ driven: Driven; peer: tls.TLSSocket }> {
  const [accepted, made] = await connected()
  const settings = options.settings ?? (role === 'server' ? asServer : asClient)
  const driven = new Driven(accepted, settings, options.sizes)
  const version = options.version && { minVersion: options.version, maxVersion: options.version }
  const context = tls.createSecureContext({ cert: own.certificate, key: own.key, ca: own.certificate, ...version })
  const peer =
    role === 'server'
      ? tls.connect({ socket: made, secureContext: context, rejectUnauthorized: false, ...options.peer })
      : new tls.TLSSocket(made, { isServer: true, secureContext: context, ...options.peer })
  peer.on('error', () => {})
  return { driven, peer }
}
