// TLS of one end of a connection, over calls instead of a socket: encrypted bytes on one side, plain ones on the other.
// What is said before TLS begins (SSLRequest and its answer) is not its matter.
//
//   source ──receive()──▶ TlsWire ─▶ TLSSocket ──▶ plain (the messages)
//   ciphertext ◀───────── TlsWire ◀─ TLSSocket ◀── write() (the messages)
import { isIP } from 'node:net'
import { connect, TLSSocket, type SecureContext } from 'node:tls'
import type { MessageInput, MessageOutput } from '../protocol.ts'
import { TlsWire, type EndSignal } from './tls-wire.ts'

/** The protocol's name since PostgreSQL 17; direct TLS demands it ("SSL Session Encryption" in its manual; RFC 7301). */
const ALPN_PROTOCOLS = ['postgresql']

/** The proxy is the server of a client. */
export interface TlsServerSettings {
  readonly role: 'server'
  readonly secureContext: SecureContext
}

/** The proxy is a client of the server. */
export interface TlsClientSettings {
  readonly role: 'client'
  readonly secureContext: SecureContext
  /** Host name or IP address that the server is asked for by. A name is also sent to it (SNI, RFC 6066 section 3). */
  readonly serverName: string
  /** Default `none`. */
  readonly verify?: TlsVerification
}

/** As libpq's sslmode: `none` only encrypts (require), `ca` checks who signed (verify-ca), `full` also the name. */
export type TlsVerification = 'none' | 'ca' | 'full'

export type TlsSettings = TlsServerSettings | TlsClientSettings

/** What a handshake came to. */
export interface TlsResult {
  /** As `TLSv1.3`. */
  readonly protocol: string
  /** Undefined if the client offered none, or the server knows none. */
  readonly alpn: string | undefined
  /** How the client calls the server (SNI), if it does. */
  readonly serverName: string | undefined
  /** The other end's certificate in DER. Clients are not asked for one. */
  readonly peerCertificate: Buffer | undefined
}

/** Who uses a TLS end. Calls may come during receive() or later. */
export interface TlsOwner {
  secured(result: TlsResult): void
  /**
   * TLS can't go on, in the handshake or after it; an alert may have been written. Nothing more is read or written; the
   * connection is still open, and end(), close() and reset() pass to it as they are.
   */
  failed(reason: string): void
  /** {@link TlsSide.receivingFull} has changed. */
  flowChanged(): void
  /** {@link TlsSide.full} is no longer true. */
  drained(): void
}

/** Where decrypted bytes go. */
export type PlainInput = Pick<MessageInput, 'write' | 'end' | 'reset' | 'full'>

/** The first byte of TLS, as which a connection may begin since PostgreSQL 17. */
export const TLS_HANDSHAKE = 0x16

/** True if a connection begins with TLS at once: its first record is a handshake (RFC 8446 section 5.1). */
export function looksLikeTls(chunk: Buffer): boolean {
  return chunk[0] === TLS_HANDSHAKE
}

/**
 * One end of a connection in TLS. What is written to it are plain bytes, also before the handshake is done, which starts
 * by itself. The other way, encrypted bytes are received and go on to `plain`.
 *
 * @example
 * const side = new TlsSide({ role: 'server', secureContext }, host.output.downstream, messages, owner)
 * side.receive(clientHello)
 * side.write(answer)
 */
export class TlsSide implements MessageOutput {
  readonly #ciphertext: MessageOutput
  readonly #plain: PlainInput
  readonly #owner: TlsOwner
  readonly #wire: TlsWire
  readonly #socket: TLSSocket
  #secured = false
  /** The source sent FIN. */
  #receivedEnd = false
  /** The plain bytes have ended, by close_notify or by FIN. */
  #plainEnded = false
  #paused = false
  /** No more plain bytes will be written. */
  #finishing = false
  /** TLS does nothing more. */
  #over = false

  constructor(settings: TlsSettings, ciphertext: MessageOutput, plain: PlainInput, owner: TlsOwner) {
    this.#ciphertext = ciphertext
    this.#plain = plain
    this.#owner = owner
    const wire = (this.#wire = new TlsWire(ciphertext))
    const fail = (error: Error): void => this.#fail(error)
    wire.on('error', fail)
    const socket = (this.#socket = settings.role === 'server' ? accept(settings, wire) : connectTo(settings, wire))
    socket.on(settings.role === 'server' ? 'secure' : 'secureConnect', () => this.#secure(settings.role))
    socket.on('data', (chunk: Buffer) => this.#pass(chunk))
    socket.on('end', () => this.#endPlain())
    socket.on('drain', () => !this.#over && owner.drained())
    socket.on('error', fail)
    // The only event of errors after the handshake if there is no tls.Server.
    socket.on('_tlsError', fail)
    socket.on('close', () => this.#closed())
  }

  // ---- encrypted bytes in ----------------------------------------------------------------------------------------

  /** Bytes received that have not passed on as plain ones. */
  get heldBytes(): number {
    return this.#over ? 0 : this.#wire.readableLength + this.#socket.readableLength
  }

  /** True while no more encrypted bytes are wanted. */
  get receivingFull(): boolean {
    return this.#paused && !this.#over
  }

  /** Takes the next encrypted bytes. The chunk is only lent. */
  receive(chunk: Buffer): void {
    if (this.#over || this.#receivedEnd) return
    this.#wire.push(Buffer.from(chunk))
  }

  /** The source sent FIN. Without a close_notify before, it ends the plain bytes as well. */
  receiveEnd(): void {
    if (this.#over || this.#receivedEnd) return
    this.#receivedEnd = true
    this.#wire.push(null)
  }

  /** The source is dead. What is held is lost. */
  receiveReset(): void {
    this.destroy()
    this.#plain.reset()
  }

  /** To be called when `full` of the plain input has changed outside its write(). */
  plainFlowChanged(): void {
    this.#setPaused(this.#plain.full)
  }

  /** To be called when the output of encrypted bytes takes bytes again. */
  ciphertextDrained(): void {
    this.#wire.drained()
  }

  /** The connection is gone: drops everything, and calls nobody any more. */
  destroy(): void {
    this.#over = true
    this.#socket.destroy()
    this.#wire.destroy()
  }

  // ---- plain bytes out -------------------------------------------------------------------------------------------

  /** True while no more plain bytes are wanted. */
  get full(): boolean {
    return !this.#over && this.#socket.writableNeedDrain
  }

  write(chunk: Buffer): void {
    if (!this.#over && !this.#finishing) this.#socket.write(Buffer.from(chunk))
  }

  /** Sends a close_notify and FIN behind everything that was written. The other direction goes on. */
  end(): void {
    this.#finish('end')
  }

  /** Sends a close_notify behind everything that was written, then FIN both ways. */
  close(): void {
    this.#finish('close')
  }

  /** RST, at once. */
  reset(): void {
    this.destroy()
    this.#ciphertext.reset()
  }

  updateFlow(): void {
    this.#ciphertext.updateFlow()
  }

  #finish(signal: EndSignal): void {
    if (this.#over) return this.#wire.finishNow(signal)
    this.#wire.finishWith(signal)
    if (this.#finishing) return
    this.#finishing = true
    if (this.#secured) {
      this.#socket.end()
    } else if (this.#socket.writableLength === 0) {
      // Nothing would come behind the handshake, so nobody waits for it.
      this.destroy()
      this.#wire.finishNow(signal)
    }
  }

  // ---- what TLS says ---------------------------------------------------------------------------------------------

  #secure(role: TlsSettings['role']): void {
    if (this.#over || this.#secured) return
    this.#secured = true
    const socket = this.#socket
    this.#owner.secured({
      protocol: socket.getProtocol() ?? 'unknown',
      alpn: socket.alpnProtocol || undefined,
      serverName: socket.servername || undefined,
      peerCertificate: role === 'client' ? socket.getPeerX509Certificate()?.raw : undefined,
    })
    if (this.#finishing && !this.#over) socket.end()
  }

  #pass(chunk: Buffer): void {
    if (this.#over) return
    this.#plain.write(chunk)
    if (this.#plain.full) this.#setPaused(true)
  }

  #setPaused(paused: boolean): void {
    if (this.#over || paused === this.#paused) return
    this.#paused = paused
    if (paused) this.#socket.pause()
    else this.#socket.resume()
    this.#owner.flowChanged()
  }

  #endPlain(): void {
    if (this.#over || this.#plainEnded) return
    if (!this.#secured) return this.#fail(new Error('the connection ended during the handshake'))
    this.#plainEnded = true
    this.#plain.end()
  }

  #fail(error: Error & { readonly reason?: string }): void {
    if (this.#over) return
    this.destroy()
    // Behind a close, nobody needs to know.
    if (this.#wire.closeSent) return
    // OpenSSL's reason without the place in its sources.
    this.#owner.failed(error.reason ?? error.message)
  }

  /** Both directions have ended, or else something went wrong that nobody told. */
  #closed(): void {
    if (this.#plainEnded && this.#wire.writableFinished) this.#over = true
    else this.#fail(new Error('TLS ended too early'))
  }
}

function accept({ secureContext }: TlsServerSettings, wire: TlsWire): TLSSocket {
  return new TLSSocket(wire, { isServer: true, secureContext, ALPNProtocols: ALPN_PROTOCOLS })
}

function connectTo({ secureContext, serverName, verify = 'none' }: TlsClientSettings, wire: TlsWire): TLSSocket {
  return connect({
    socket: wire,
    secureContext,
    ALPNProtocols: ALPN_PROTOCOLS,
    rejectUnauthorized: verify !== 'none',
    // An address is checked but never sent (RFC 6066 section 3).
    host: serverName,
    ...(isIP(serverName) === 0 && { servername: serverName }),
    ...(verify === 'ca' && { checkServerIdentity: () => undefined }),
  })
}
