// A WebSocket connection that is closed in good order by somebody between its ends.
//
//   sender ── message ──▶ ✕  Close(code, reason) ──▶ receiver
//   sender ◀── Close ───────────────────────────────── receiver answers it, as the protocol wants
//
// So both ends see a Close, and the server ends the TCP connection as usual (RFC 6455 section 7).
import { closeFrame, MAX_CLOSE_REASON_BYTES } from '../../protocols/websocket/close-frame.ts'
import { Opcode } from '../../protocols/websocket/frame-walker.ts'
import {
  defineWebSocketFault,
  type InjectionDetail,
  invalidField,
  MessageStage,
  Schema,
  type WebSocketMessage,
} from './websocket-fault.ts'

export interface WebSocketCloseAttributes {
  readonly code: number
  readonly reason: string
  readonly when: 'message' | 'now'
}

/** May not be sent (RFC 6455 section 7.4). */
const RESERVED_CODES: readonly number[] = [1004, 1005, 1006, 1015]

class WebSocketCloseStage extends MessageStage<WebSocketCloseAttributes> {
  #state: 'open' | 'due' | 'closed' = 'open'
  /** Whether the fault acts on this connection at once has been decided. */
  #counted = false

  override start(): void {
    this.#closeNow()
  }

  override update(attributes: WebSocketCloseAttributes): void {
    super.update(attributes)
    this.#closeNow()
  }

  protected override get choosing(): boolean {
    if (this.#state !== 'open' || this.attributes.when !== 'message') return false
    // Behind a Close there must be no other.
    return !this.walker.closed || this.walker.opcode === Opcode.close
  }

  protected override begin(message: WebSocketMessage): void {
    this.#close(this.describe(message))
  }

  /** What follows a Close must not be there, so it goes no further. */
  protected override passChosen(): void {}

  protected override passOthers(bytes: Buffer): void {
    if (this.#state !== 'closed') this.next.write(bytes)
  }

  override write(chunk: Buffer): void {
    if (this.#state !== 'closed') super.write(chunk)
  }

  override get unfinished(): boolean {
    return this.#state === 'closed'
  }

  protected override get awaitsBorder(): boolean {
    return this.#state === 'due'
  }

  protected override borderReached(): void {
    if (this.walker.closed) this.#state = 'open'
    else this.#close({ path: this.path })
  }

  override retire(): void {
    super.retire()
    if (this.#state === 'due') this.#state = 'open'
  }

  /** With `now` connections are counted in place of messages. */
  #closeNow(): void {
    if (this.attributes.when !== 'now' || this.#counted || this.#state !== 'open') return
    this.#counted = true
    if (!this.context.selects(0)) return
    this.#state = 'due'
    if (this.walker.atBorder) this.borderReached()
  }

  #close(detail: InjectionDetail): void {
    this.#state = 'closed'
    const { code, reason } = this.attributes
    this.context.record('close', { code, reason, ...detail })
    this.next.write(closeFrame(code, reason, this.#mask()))
  }

  #mask(): Buffer | undefined {
    if (this.context.direction === 'downstream') return undefined
    const mask = Buffer.alloc(4)
    mask.writeUInt32BE(Math.floor(this.context.random.next() * 2 ** 32))
    return mask
  }
}

export const websocketClose = defineWebSocketFault<WebSocketCloseAttributes>({
  type: 'websocket_close',
  describe:
    'Sends a Close in place of a WebSocket message and drops all that follows it. Its receiver answers with a Close, ' +
    'so that the connection ends in good order for both sides.',
  schema: Schema.Object({
    code: Schema.Integer({ default: 1011, minimum: 1000, maximum: 4999, description: 'Status code of RFC 6455.' }),
    reason: Schema.String({ default: '', description: `At most ${MAX_CLOSE_REASON_BYTES} bytes in UTF-8.` }),
    when: Schema.Union([Schema.Literal('message'), Schema.Literal('now')], {
      default: 'message',
      description: 'In place of a message that matches; or at once, on connections whose handshake matches.',
    }),
  }),
  check({ code, reason }, environment) {
    if (RESERVED_CODES.includes(code)) {
      throw invalidField(environment.field('code'), `a code other than ${RESERVED_CODES.join(', ')}`, code)
    }
    if (Buffer.byteLength(reason) > MAX_CLOSE_REASON_BYTES || !reason.isWellFormed()) {
      const expected = `at most ${MAX_CLOSE_REASON_BYTES} bytes of well-formed UTF-8`
      throw invalidField(environment.field('reason'), expected, reason)
    }
  },
  create: (attributes, context) => new WebSocketCloseStage(attributes, context),
})
