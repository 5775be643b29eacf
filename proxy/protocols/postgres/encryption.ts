// TLS of a Postgres connection: who asks for it, who answers, and where the bytes go when it is there
// (PostgreSQL manual, "SSL Session Encryption").
import type { SecureContext } from 'node:tls'
import type { Direction } from '../../faults/fault.ts'
import type { SourceInput } from '../protocol.ts'
import type { PgErrorFields } from './error-fields.ts'
import { Fate, type MessageFlow } from './message-flow.ts'
import type { PostgresCore } from './core.ts'
import { withoutChannelBinding } from './sasl.ts'
import { sameCertificate, type TlsIdentity } from './tls-identity.ts'
import { looksLikeTls, TlsSide, type TlsOwner, type TlsVerification } from './tls.ts'
import { ENCRYPTION_REFUSED, GSS_ACCEPTED, SSL_REQUEST, TLS_ACCEPTED } from './wire.ts'

/**
 * - `passthrough`: between client and server; statements can't be seen then.
 * - `terminate`: a client may use TLS with the proxy, which then uses TLS with the server.
 * - `client_only`: a client may use TLS with the proxy; none with the server.
 * - `server_only`: none with clients; always with the server.
 */
export type TlsMode = 'passthrough' | 'terminate' | 'client_only' | 'server_only'

/** Of a proxy, made once. */
export interface TlsSetup {
  readonly mode: TlsMode
  /** What clients are shown; undefined where they can't use TLS with the proxy. */
  readonly identity: TlsIdentity | undefined
  /** For connections to the server; undefined where these don't use TLS of the proxy's own. */
  readonly clientContext: SecureContext | undefined
  readonly verify: TlsVerification
}

/** AuthenticationSASL, AuthenticationOk. */
const SASL = 10
const AUTHENTICATED = 0

/** SQLSTATE invalid_authorization_specification: what servers say of channel binding that fails. */
const NOT_BOUND = '28000'

export class Encryption {
  readonly input: Readonly<Record<Direction, SourceInput>>
  readonly #session: PostgresCore
  #client: TlsSide | undefined
  #server: TlsSide | undefined
  #sasl = false
  /** The client binds its login to a certificate that is not the server's. */
  #otherCertificate = false
  #untouched = true
  /** Set while the server is to say whether it has TLS; called without an answer if it is gone. */
  #answered: ((answer: number | undefined) => void) | undefined

  constructor(session: PostgresCore) {
    this.#session = session
    this.input = {
      upstream: new Entry(
        session.requests,
        () => this.#client,
        () => this.#server,
        {
          first: (chunk) => this.#first(chunk),
          unencrypted: () => session.endWith(UNENCRYPTED_REQUEST, false),
        },
      ),
      downstream: new Entry(
        session.replies,
        () => this.#server,
        () => this.#client,
        {
          unencrypted: () => this.#serverFailed('it sent something in plain behind its consent'),
          ended: () => this.#answered?.(undefined),
        },
      ),
    }
  }

  get #setup(): TlsSetup {
    return this.#session.options.tls
  }

  // ---- what flows ask for ----------------------------------------------------------------------------------------

  /** SSLRequest has come from the client. */
  askedForTls(): Fate {
    const { mode } = this.#setup
    if (mode === 'passthrough') return this.#forward('TLS', TLS_ACCEPTED)
    if (this.#client) {
      this.#session.endWith(TLS_WITHIN_TLS, false)
      return Fate.drop
    }
    const { downstream } = this.#session.host.output
    const accepted = mode !== 'server_only'
    downstream.write(Buffer.from([accepted ? TLS_ACCEPTED : ENCRYPTION_REFUSED]))
    if (accepted) {
      this.#session.requests.hold()
      this.#acceptClient()
    }
    return Fate.drop
  }

  /** A client has begun with TLS that the proxy takes no part in. */
  beganTls(): void {
    const session = this.#session
    session.opaque('TLS', 'upstream')
    // As a server without TLS: some clients, told that there is none, begin all the same.
    if (this.#setup.mode === 'server_only') session.closeUnanswered()
  }

  /** GSSENCRequest has come from the client. */
  askedForGss(): Fate {
    if (this.#setup.mode === 'passthrough') return this.#forward('GSSAPI encryption', GSS_ACCEPTED)
    this.#session.replies.output.write(Buffer.from([ENCRYPTION_REFUSED]))
    return Fate.drop
  }

  /** The server decides; if it agrees, bytes just pass from there on. */
  #forward(what: string, accepted: number): Fate {
    const { replies } = this.#session
    replies.expectEncryption((answer) => {
      if (answer === accepted) this.#session.opaque(what, 'upstream')
      return Fate.pass
    })
    return Fate.pass
  }

  /**
   * Called when the first message is to go to the server. Returns false if it may go as it is; else `then` is called when
   * it may, or with the error that ends the connection.
   */
  toServer(then: (error?: PgErrorFields) => void): boolean {
    const { mode } = this.#setup
    const wanted = mode === 'server_only' || (mode === 'terminate' && this.#client !== undefined)
    if (!wanted || this.#server) return false
    const session = this.#session
    this.#answered = (answer) => {
      this.#answered = undefined
      if (answer === TLS_ACCEPTED) {
        session.replies.hold()
        this.#dialServer()
        return then()
      }
      const what = answer === undefined ? 'has closed the connection when asked for TLS' : 'does not offer TLS'
      const reason = `the server ${what}, which tls: ${mode} needs`
      then(connectionFailure(reason))
      session.opaque(reason, 'downstream')
    }
    session.host.output.upstream.write(SSL_REQUEST)
    session.replies.expectEncryption((answer) => {
      this.#answered?.(answer)
      return Fate.drop
    })
    return true
  }

  /**
   * The server has said how, or that, the client is authenticated.
   *
   * @returns what the client is to hear in its place, if not the same
   */
  authentication(kind: number, message: Buffer): Buffer | undefined {
    this.#sasl = kind === SASL || (this.#sasl && kind !== AUTHENTICATED)
    // A client without TLS can't bind its login to a certificate, and takes the offer for an attack.
    return kind === SASL && this.#server && !this.#client ? withoutChannelBinding(message) : undefined
  }

  /** Why a login may have failed that would not have failed without the proxy. */
  channelBindingHint(code: string): string | undefined {
    if (!this.#sasl || !this.#otherCertificate || code !== NOT_BOUND) return undefined
    return (
      "TLS ends at Faultline, whose certificate is not the server's: SCRAM channel binding fails then. Give the proxy " +
      "the server's own certificate and key (tlsCertificate, tlsKey), or connect with channel_binding=disable."
    )
  }

  // ---- the two ends ----------------------------------------------------------------------------------------------

  /** Bytes before the client's first message: since PostgreSQL 17 TLS may begin at once. */
  #first(chunk: Buffer): void {
    if (!this.#untouched) return
    this.#untouched = false
    const { mode } = this.#setup
    if ((mode === 'terminate' || mode === 'client_only') && looksLikeTls(chunk)) this.#acceptClient()
  }

  #acceptClient(): void {
    const session = this.#session
    const { identity } = this.#setup
    if (!identity || this.#client) return
    const side = new TlsSide(
      { role: 'server', secureContext: identity.secureContext },
      session.host.output.downstream,
      session.requests,
      this.#owner('upstream', (reason) => {
        session.opaque(`TLS with the client failed: ${reason}`, 'upstream')
        session.closeUnanswered()
      }),
    )
    this.#client = side
    session.replies.output = side
  }

  #dialServer(): void {
    const session = this.#session
    const { clientContext, identity, verify } = this.#setup
    if (!clientContext) return
    const owner = this.#owner('downstream', (reason) => this.#serverFailed(reason))
    const secured: TlsOwner['secured'] = ({ peerCertificate }) => {
      this.#otherCertificate =
        this.#client !== undefined &&
        identity !== undefined &&
        peerCertificate !== undefined &&
        !sameCertificate(identity.certificate, peerCertificate)
    }
    const side = new TlsSide(
      { role: 'client', secureContext: clientContext, serverName: session.host.upstream.host, verify },
      session.host.output.upstream,
      session.replies,
      { ...owner, secured },
    )
    this.#server = side
    session.requests.output = side
  }

  #serverFailed(why: string): void {
    const reason = `TLS with the server failed: ${why}`
    // First its end: from then on nothing passes any more.
    this.#session.endWith(connectionFailure(reason), false)
    this.#session.opaque(reason, 'downstream')
  }

  /** @param direction that of the bytes that come in encrypted; the other one's go out through this end */
  #owner(direction: Direction, failed: (reason: string) => void): TlsOwner {
    const { output } = this.#session.host
    const opposite = direction === 'upstream' ? output.downstream : output.upstream
    return {
      secured() {},
      failed,
      flowChanged: () => output[direction].updateFlow(),
      drained: () => opposite.updateFlow(),
    }
  }

  // ---- flow ------------------------------------------------------------------------------------------------------

  /** Whether a flow takes more has changed. */
  flowChanged(direction: Direction): void {
    const side = direction === 'upstream' ? this.#client : this.#server
    side?.plainFlowChanged()
    this.#session.host.output[direction].updateFlow()
  }

  drained(direction: Direction): void {
    const side = direction === 'upstream' ? this.#server : this.#client
    side?.ciphertextDrained()
  }

  dispose(): void {
    this.#client?.destroy()
    this.#server?.destroy()
  }
}

interface EntryEvents {
  /** Before anything else is made of a chunk. */
  first?(chunk: Buffer): void
  /** In plain, something has come behind that which has begun TLS. */
  unencrypted(): void
  /** FIN has come, in plain. */
  ended?(): void
}

/** Where a source's bytes come in: through TLS if there is any. */
class Entry implements SourceInput {
  readonly #flow: MessageFlow
  readonly #source: () => TlsSide | undefined
  readonly #destination: () => TlsSide | undefined
  readonly #events: EntryEvents

  constructor(
    flow: MessageFlow,
    source: () => TlsSide | undefined,
    destination: () => TlsSide | undefined,
    events: EntryEvents,
  ) {
    this.#flow = flow
    this.#source = source
    this.#destination = destination
    this.#events = events
  }

  get heldBytes(): number {
    return this.#flow.heldBytes + (this.#source()?.heldBytes ?? 0)
  }

  get full(): boolean {
    return this.#flow.full || this.#source()?.receivingFull === true || this.#destination()?.full === true
  }

  letPass(): boolean {
    return false
  }

  write(chunk: Buffer): void {
    this.#events.first?.(chunk)
    const tls = this.#source()
    if (tls) return tls.receive(chunk)
    this.#flow.write(chunk)
    if (this.#source()) this.#begun()
  }

  /** What has begun TLS holds the flow. It would take what comes in plain behind it as if it had come encrypted. */
  #begun(): void {
    if (this.#flow.heldBytes > 0) this.#events.unencrypted()
    else this.#flow.resume()
  }

  end(): void {
    const tls = this.#source()
    if (tls) return tls.receiveEnd()
    this.#events.ended?.()
    this.#flow.end()
  }

  close(): void {
    this.#flow.close()
  }

  reset(): void {
    const tls = this.#source()
    if (tls) tls.receiveReset()
    else this.#flow.reset()
  }
}

/** As servers see it: the code of SSLRequest where only a version of the protocol can be. */
const TLS_WITHIN_TLS: PgErrorFields = {
  severity: 'FATAL',
  code: '0A000',
  message: 'unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2',
}

/** SQLSTATE protocol_violation, as servers say it. */
const UNENCRYPTED_REQUEST: PgErrorFields = {
  severity: 'FATAL',
  code: '08P01',
  message: 'received unencrypted data after SSL request',
  detail: 'This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.',
}

/** SQLSTATE 08006, connection_failure. */
function connectionFailure(message: string): PgErrorFields {
  return { severity: 'FATAL', code: '08006', message }
}
