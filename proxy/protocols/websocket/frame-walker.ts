// WebSocket frame borders (RFC 6455 section 5): where frames and messages begin and end. Reads one direction of a
// connection, does no I/O, changes nothing. Payloads are stepped over; what breaks the framing is reported as opaque.
import type { Direction } from '../../faults/stage.ts'

/** What {@link FrameWalker.next} has found. */
export const FramePiece = {
  /** Nothing left to look at. */
  none: 0,
  /** The beginning of a header whose end has not come yet. */
  headerPart: 1,
  /** The (rest of the) header; {@link FrameWalker.copyHeader} is all of it. */
  header: 2,
  payload: 3,
  /** The frame is complete; no bytes belong to this piece. */
  end: 4,
  /** From here on it cannot be said what the bytes mean; {@link FrameWalker.reason} says why. Final. */
  opaque: 5,
} as const

export type FramePiece = (typeof FramePiece)[keyof typeof FramePiece]

/** RFC 6455 section 11.8. */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** RFC 6455 section 5.5. */
export const MAX_CONTROL_PAYLOAD_BYTES = 125

/** Two bytes, eight of an extended length, four of the mask. */
const MAX_HEADER_BYTES = 14

const NEW_MESSAGE_INSIDE = 'a new message inside a fragmented one'

export class FrameWalker {
  readonly #direction: Direction
  #state: 'header' | 'payload' | 'opaque' = 'header'

  /** What the last call of {@link FrameWalker.next} found. */
  piece: FramePiece = FramePiece.none
  /** Why {@link FramePiece.opaque}. */
  reason = ''

  // Of the current frame, from its header until its end.

  /** `continuation` in all frames of a message but its first. */
  opcode = 0
  /** It is the last one of its message. */
  final = true
  /** An extension has changed the payload, e.g. compressed it: one of the bits RSV1 to RSV3 is set. */
  extended = false
  masked = false
  /** Of the whole frame. */
  payloadBytes = 0

  /** Messages that have begun so far; control frames are messages of their own. */
  messages = 0
  /** A Close frame has been seen: no data may follow (RFC 6455 section 5.5.1). */
  closed = false

  readonly #header = Buffer.alloc(MAX_HEADER_BYTES)
  #headerLength = 0
  /** Two bytes say how many there are. */
  #headerNeeded = 2
  /** Of the payload. */
  #left = 0
  /** Of the data message whose last frame has not come; 0 = there is none. */
  #dataOpcode = 0

  /** @param direction frames of clients are masked, those of servers are not (RFC 6455 section 5.1) */
  constructor(direction: Direction) {
    this.#direction = direction
  }

  /** A walker in the same state, to go its own way from here. */
  clone(): FrameWalker {
    const copy = new FrameWalker(this.#direction)
    copy.#state = this.#state
    copy.reason = this.reason
    copy.opcode = this.opcode
    copy.final = this.final
    copy.extended = this.extended
    copy.masked = this.masked
    copy.payloadBytes = this.payloadBytes
    copy.messages = this.messages
    copy.closed = this.closed
    this.#header.copy(copy.#header)
    copy.#headerLength = this.#headerLength
    copy.#headerNeeded = this.#headerNeeded
    copy.#left = this.#left
    copy.#dataOpcode = this.#dataOpcode
    return copy
  }

  /** Between frames, when nothing of the next one has come. */
  get atBorder(): boolean {
    return this.#state === 'header' && this.#headerLength === 0
  }

  /** A part of a header has come, and its rest has not. */
  get inHeader(): boolean {
    return this.#state === 'header' && this.#headerLength > 0
  }

  /** Length of the current frame's header as far as it has come. */
  get headerBytes(): number {
    return this.#headerLength
  }

  copyHeader(): Buffer {
    return Buffer.from(this.#header.subarray(0, this.#headerLength))
  }

  /** The current frame is a message of its own, which may stand between the frames of another one. */
  get isControl(): boolean {
    return this.opcode >= Opcode.close
  }

  /** The current frame is the first one of its message. */
  get beginsMessage(): boolean {
    return this.opcode !== Opcode.continuation
  }

  /** The current frame is the last one of its message. */
  get endsMessage(): boolean {
    return this.final
  }

  /**
   * Looks at `chunk` from `from` on. Sets {@link FrameWalker.piece} and returns where that piece ends. To be called
   * until the piece is `none`; an `end` comes without bytes of its own, and opaque bytes begin where it says so first.
   */
  next(chunk: Buffer, from: number): number {
    if (this.#state === 'payload') return this.#payload(chunk, from)
    if (from >= chunk.length) return this.#found(FramePiece.none, from)
    if (this.#state === 'opaque') return this.#found(FramePiece.opaque, chunk.length)
    return this.#readHeader(chunk, from)
  }

  /** Copies the current frame's payload, or its beginning, without the mask. */
  unmask(payload: Buffer, target: Buffer): void {
    payload.copy(target)
    if (!this.masked) return
    const mask = this.#header.subarray(this.#headerLength - 4)
    for (let index = 0; index < payload.length; index++) {
      target[index] = (target[index] ?? 0) ^ (mask[index & 3] ?? 0)
    }
  }

  #found(piece: FramePiece, end: number): number {
    this.piece = piece
    return end
  }

  #payload(chunk: Buffer, from: number): number {
    if (this.#left === 0) {
      if (this.final && !this.isControl) this.#dataOpcode = 0
      this.#state = 'header'
      this.#headerLength = 0
      this.#headerNeeded = 2
      return this.#found(FramePiece.end, from)
    }
    if (from >= chunk.length) return this.#found(FramePiece.none, from)
    const to = Math.min(chunk.length, from + this.#left)
    this.#left -= to - from
    return this.#found(FramePiece.payload, to)
  }

  #readHeader(chunk: Buffer, from: number): number {
    const before = this.#headerLength
    let reason: string | undefined
    let at = from
    while (at < chunk.length && this.#headerLength < this.#headerNeeded && reason === undefined) {
      const byte = chunk[at++] ?? 0
      this.#header[this.#headerLength++] = byte
      if (this.#headerLength === 1) reason = this.#firstByte(byte)
      else if (this.#headerLength === 2) reason = this.#secondByte(byte)
    }
    if (reason === undefined && this.#headerLength < this.#headerNeeded) return this.#found(FramePiece.headerPart, at)
    reason ??= this.#headerDone()
    if (reason === undefined) return this.#found(FramePiece.header, at)
    this.#state = 'opaque'
    this.reason = reason
    this.#headerLength = before
    return this.#found(FramePiece.opaque, from)
  }

  /** Each of these returns why the framing is broken, if it is. */
  #firstByte(byte: number): string | undefined {
    const opcode = byte & 0x0f
    this.final = (byte & 0x80) !== 0
    this.extended = (byte & 0x70) !== 0
    this.opcode = opcode
    if ((opcode > 2 && opcode < 8) || opcode > 10) return 'a reserved opcode'
    if (opcode >= Opcode.close) return this.final ? undefined : 'a fragmented control frame'
    if (opcode === Opcode.continuation) return this.#dataOpcode === 0 ? 'a continuation of nothing' : undefined
    return this.#dataOpcode === 0 ? undefined : NEW_MESSAGE_INSIDE
  }

  #secondByte(byte: number): string | undefined {
    const length = byte & 0x7f
    this.masked = (byte & 0x80) !== 0
    if (this.masked !== (this.#direction === 'upstream')) {
      return this.masked ? 'a masked frame of a server' : 'an unmasked frame of a client'
    }
    if (this.isControl && length > MAX_CONTROL_PAYLOAD_BYTES) return 'a control frame of more than 125 bytes'
    this.#headerNeeded = 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + (this.masked ? 4 : 0)
    return undefined
  }

  /** A length in more bytes than it needs is against the rules, but the border is clear: it passes. */
  #headerDone(): string | undefined {
    const header = this.#header
    const length = (header[1] ?? 0) & 0x7f
    if (length === 127 && header.readUInt32BE(2) >= 2 ** 21) return 'a length above 2^53'
    if (length === 127) this.payloadBytes = header.readUInt32BE(2) * 2 ** 32 + header.readUInt32BE(6)
    else this.payloadBytes = length === 126 ? header.readUInt16BE(2) : length
    this.#left = this.payloadBytes
    this.#state = 'payload'
    if (this.opcode !== Opcode.continuation) this.messages++
    if (this.opcode === Opcode.close) this.closed = true
    else if (this.opcode === Opcode.text || this.opcode === Opcode.binary) this.#dataOpcode = this.opcode
    return undefined
  }
}
