// The running form of a WebSocket fault in one direction of one connection: a stage that knows which messages its bytes
// belong to, and which of them the fault acts on. What is done to those is the subclass's to say.
//
//   bytes ──▶ FrameWalker ─▶ match, count ─┬─▶ chosen messages ─▶ passChosen() ─▶ next
//                                          └─▶ all others ──────▶ passOthers() ─▶ next
//
// Every stage walks over the frames by itself, so that each sees what the one before has left of them, and none needs
// to know of the others.
import type { InjectionDetail } from '../../injection-log.ts'
import type { HttpRequest } from '../../protocols/http/request.ts'
import { FramePiece, Opcode, type FrameWalker } from '../../protocols/websocket/frame-walker.ts'
import type { WebSocketMatch } from '../../protocols/websocket/match.ts'
import { TextProbe } from '../../protocols/websocket/text-probe.ts'
import { HoldingStage, type Direction, type Held, type StageContext } from '../fault.ts'

/** A message that the fault acts on. Control frames are messages of their own. */
export interface WebSocketMessage {
  /** Counts the messages of the connection in this direction, from 1. */
  readonly number: number
  readonly opcode: 'text' | 'binary' | 'close' | 'ping' | 'pong'
  /** Payload of its first frame; of all of it, if that is the only one. */
  readonly firstFrameBytes: number
  /** Payload that has come so far. */
  payloadBytes: number
}

/** What a stage of WebSocket may use of its connection. */
export interface MessageContext extends StageContext {
  readonly direction: Direction
  /** The handshake. */
  readonly request: HttpRequest
  /** Stands where the stage's bytes begin, maybe in the middle of a frame. Belongs to the stage. */
  readonly walker: FrameWalker
  readonly match: WebSocketMatch
  /** Counts a message that matches; true if the fault acts on it. */
  selects(messageNumber: number): boolean
  /** The frames make no sense any more: `rest` and all that follows is to pass as it is. */
  opaque(reason: string, rest: Buffer): void
  /** Tells the user, once, that the fault can't act on something here. */
  notApplied(reason: string): void
  /** A stage that was {@link MessageStage.unfinished} when its fault was removed has finished. */
  finished(): void
}

const OPCODES = {
  [Opcode.text]: 'text',
  [Opcode.binary]: 'binary',
  [Opcode.close]: 'close',
  [Opcode.ping]: 'ping',
  [Opcode.pong]: 'pong',
} as const

const EXTENDED = 'an extension has changed the messages, e.g. compressed them, so that their text can not be matched'

const MAX_RECORDED_PATH_LENGTH = 200

export abstract class MessageStage<Attributes> extends HoldingStage<Attributes> {
  declare protected readonly context: MessageContext
  /** Which messages match; set anew by whoever changes the fault. */
  match: WebSocketMatch
  protected readonly walker: FrameWalker
  /** The data message of which some has come, if it is chosen … */
  #data: WebSocketMessage | undefined
  /** … and the control frame that may stand between its frames. */
  #control: WebSocketMessage | undefined
  /** The chosen message that the current frame belongs to. */
  #current: WebSocketMessage | undefined
  /** Set while it is read ahead in a text message to see whether that matches. */
  #probe: TextProbe | undefined
  /** Bytes of a header that are kept until its rest comes, or until its message has been probed. */
  #keptHeaderBytes = 0
  /** A part of the current header has been passed on, so that nothing can be done to its message any more. */
  #headerPassed: boolean
  #toldNotApplied = false
  /** The fault has been removed: this stage only finishes what it has begun. */
  #retired = false

  constructor(attributes: Attributes, context: MessageContext) {
    super(attributes, context)
    this.match = context.match
    this.walker = context.walker
    this.#headerPassed = this.walker.inHeader
  }

  // ---- for the fault ---------------------------------------------------------------------------------------------

  /** A message has been chosen; everything before it has been passed on, nothing of it yet. */
  protected begin(_message: WebSocketMessage): void {}

  /** Called for each part of a chosen message's payload before it is passed on; may change it in place. */
  protected edit?(message: WebSocketMessage, payload: Buffer): void

  /** Headers and payload of chosen messages. The chunk is only lent. */
  protected passChosen(bytes: Buffer, _message: WebSocketMessage): void {
    this.next.write(bytes)
  }

  /** All other messages. The chunk is only lent. */
  protected passOthers(bytes: Buffer): void {
    this.next.write(bytes)
  }

  /** A chosen message is complete, or no more of it will come. */
  protected finish(_message: WebSocketMessage): void {}

  /** True while {@link MessageStage.borderReached} is to be called behind the current frame. */
  protected get awaitsBorder(): boolean {
    return false
  }

  /** A frame may be written here. */
  protected borderReached(): void {}

  /** False = no message is counted or chosen. */
  protected get choosing(): boolean {
    return true
  }

  /** True while the stage can't be taken out without breaking the framing. */
  get unfinished(): boolean {
    return false
  }

  /** A chosen message has begun and is not complete. */
  protected get inChosenMessage(): boolean {
    return this.#data !== undefined || this.#control !== undefined
  }

  /** What an injection says of a message when that begins. */
  protected describe({ opcode, number, firstFrameBytes }: WebSocketMessage): InjectionDetail {
    return { opcode, message: number, bytes: firstFrameBytes, path: this.path }
  }

  /** The handshake's. */
  protected get path(): string {
    return this.context.request.path.slice(0, MAX_RECORDED_PATH_LENGTH)
  }

  protected override dueMs(_front: Held): number {
    return -Infinity
  }

  // ---- for the session -------------------------------------------------------------------------------------------

  override get heldBytes(): number {
    return super.heldBytes + this.#keptHeaderBytes + (this.#probe?.ahead.length ?? 0)
  }

  /** The fault has been removed: holds nothing and chooses nothing more. To be taken out unless it is unfinished. */
  retire(): void {
    this.#retired = true
    this.flush()
  }

  /** The fault is back before the stage has been taken out. */
  resume(): void {
    this.#retired = false
  }

  override write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) at = this.#probe ? this.#readAhead(chunk, at) : this.#walk(chunk, at, at)
    if (this.#retired && !this.unfinished) this.context.finished()
  }

  override end(): void {
    this.#releaseKept()
    super.end()
  }

  override close(): void {
    this.#releaseKept()
    super.close()
  }

  override flush(): void {
    super.flush()
    this.#releaseKept()
  }

  override remove(): void {
    super.remove()
    this.#finishAll()
  }

  override dispose(): void {
    this.#finishAll()
    super.dispose()
  }

  // ---- walking ---------------------------------------------------------------------------------------------------

  /**
   * Walks over `lent` from `at` on; what is passed on begins at `from`, and is as much as possible at once. Returns
   * where it has stopped: at the end, or where {@link MessageStage.#readAhead} has to go on.
   */
  #walk(lent: Buffer, from: number, at: number): number {
    const { walker } = this
    let chunk = lent
    const passUpTo = (to: number): void => {
      if (to > from) this.#pass(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
      from = to
    }
    for (;;) {
      const to = walker.next(chunk, at)
      switch (walker.piece) {
        case FramePiece.none:
          passUpTo(chunk.length)
          return chunk.length
        case FramePiece.headerPart:
          if (this.#headerPassed) break
          passUpTo(at)
          this.#keptHeaderBytes = walker.headerBytes
          from = to
          break
        case FramePiece.header: {
          const probe = this.#mustProbe
          const message = probe ? undefined : walker.beginsMessage ? this.#choose(false) : this.#data
          if (probe || message || this.#keptHeaderBytes > 0) passUpTo(at)
          if (probe) return this.#startProbe(chunk, to)
          this.#enterFrame(message)
          if (this.#keptHeaderBytes === 0) break
          this.#passHeader()
          from = to
          break
        }
        case FramePiece.payload:
          if (!this.#current) break
          this.#current.payloadBytes += to - at
          if (!this.edit) break
          if (chunk === lent) chunk = Buffer.from(lent) // what is lent is not ours to change
          this.edit(this.#current, chunk.subarray(at, to))
          break
        case FramePiece.end:
          if (this.#current || this.awaitsBorder) passUpTo(at)
          this.#leaveFrame()
          break
        case FramePiece.opaque:
          passUpTo(at)
          this.#becomeOpaque(chunk.subarray(at))
          return chunk.length
        default:
      }
      at = to
    }
  }

  #pass(bytes: Buffer): void {
    if (this.#current) this.passChosen(bytes, this.#current)
    else this.passOthers(bytes)
  }

  /** A header of which some has been kept. */
  #passHeader(): void {
    this.#keptHeaderBytes = 0
    this.#pass(this.walker.copyHeader())
  }

  /** The message whose first frame's header has just come, if the fault acts on it. */
  #choose(textMatches: boolean): WebSocketMessage | undefined {
    const { walker, match } = this
    if (!this.#mayChoose) return undefined
    if (match.text ? !textMatches : !match.opcodes.has(walker.opcode)) return undefined
    if (!this.context.selects(walker.messages)) return undefined
    const opcode = OPCODES[walker.opcode as keyof typeof OPCODES]
    return { number: walker.messages, opcode, firstFrameBytes: walker.payloadBytes, payloadBytes: 0 }
  }

  get #mayChoose(): boolean {
    return this.choosing && !this.#retired && !this.#headerPassed
  }

  /** @param message the one that the frame belongs to, if it is chosen */
  #enterFrame(message: WebSocketMessage | undefined): void {
    const { walker } = this
    this.#headerPassed = false
    if (walker.isControl) this.#control = message
    else this.#data = message
    if (message && walker.beginsMessage) this.begin(message)
    this.#current = message
  }

  #leaveFrame(): void {
    const { walker } = this
    const message = this.#current
    this.#current = undefined
    if (walker.endsMessage) {
      if (walker.isControl) this.#control = undefined
      else this.#data = undefined
      if (message) this.finish(message)
    }
    if (this.awaitsBorder) this.borderReached()
  }

  #finishAll(): void {
    const unfinished = [this.#control, this.#data]
    this.#control = this.#data = this.#current = undefined
    for (const message of unfinished) if (message) this.finish(message)
  }

  #becomeOpaque(rest: Buffer): void {
    this.#releaseKept()
    this.#finishAll()
    this.context.opaque(this.walker.reason, rest)
  }

  // ---- matching text ---------------------------------------------------------------------------------------------

  /** A text message begins, and its text decides. */
  get #mustProbe(): boolean {
    const { walker, match } = this
    if (!match.text || walker.opcode !== Opcode.text || !this.#mayChoose) return false
    if (!walker.extended) return true
    if (!this.#toldNotApplied) this.context.notApplied(EXTENDED)
    this.#toldNotApplied = true
    return false
  }

  #startProbe(chunk: Buffer, at: number): number {
    this.#keptHeaderBytes = this.walker.headerBytes
    this.#probe = new TextProbe(this.walker, this.context.maxHeldBytes)
    return this.#readAhead(chunk, at)
  }

  /** Returns where the bytes begin that are not needed to decide. */
  #readAhead(chunk: Buffer, at: number): number {
    const probe = this.#probe
    if (!probe) return at
    const to = probe.feed(chunk, at)
    if (probe.done) this.#endProbe(this.#choose(this.match.text?.(probe.text) ?? false))
    return to
  }

  /** What has been read ahead is passed on as the decision says. */
  #endProbe(chosen: WebSocketMessage | undefined): void {
    const probe = this.#probe
    if (!probe) return
    const header = this.walker.copyHeader()
    this.#probe = undefined
    this.#keptHeaderBytes = 0
    this.#enterFrame(chosen)
    this.#walk(Buffer.concat([header, probe.ahead]), 0, header.length)
  }

  /** Passes on what is kept only to decide on it. */
  #releaseKept(): void {
    this.#endProbe(undefined)
    if (this.#keptHeaderBytes === 0) return
    // It goes where the beginning of its message has gone, once the rest of it is there.
    if (this.unfinished && this.#data && !this.walker.beginsMessage) return
    this.#headerPassed = true
    this.#passHeader()
  }
}
