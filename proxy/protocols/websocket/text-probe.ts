// Reads ahead in a text message, until as much of its text is known as matches look at.
import { FramePiece, Opcode, type FrameWalker } from './frame-walker.ts'

/** Matches look at so much of a text. */
const MAX_TEXT_BYTES = 65_536

/** Frames of a few bytes are mostly header, and others may come in between: so much is read ahead at most. */
const MAX_AHEAD_BYTES = 2 * MAX_TEXT_BYTES

export class TextProbe {
  readonly #start: FrameWalker
  readonly #walker: FrameWalker
  readonly #limitBytes: number
  #ahead: Buffer
  #aheadBytes = 0
  #textBytes = 0
  #done = false

  /**
   * @param walker stands right behind the header of the message's first frame
   * @param limitBytes as much as may be held, if that is less
   */
  constructor(walker: FrameWalker, limitBytes: number) {
    this.#start = walker.clone()
    this.#walker = walker.clone()
    this.#limitBytes = Math.max(1, Math.min(MAX_AHEAD_BYTES, limitBytes))
    this.#ahead = Buffer.allocUnsafe(Math.min(256, this.#limitBytes))
  }

  /** The text is known: all of it, or as much as matches look at. */
  get done(): boolean {
    return this.#done
  }

  /** What has been read, behind the header. */
  get ahead(): Buffer {
    return this.#ahead.subarray(0, this.#aheadBytes)
  }

  /** Reads `chunk` from `from` on; returns where the bytes begin that are not needed. Keeps a copy of the others. */
  feed(chunk: Buffer, from: number): number {
    let at = from
    while (!this.#done) {
      const to = this.#walker.next(chunk, at)
      const { piece } = this.#walker
      if (piece === FramePiece.none) break
      if (piece === FramePiece.payload && !this.#walker.isControl) this.#textBytes += to - at
      else if (piece === FramePiece.end) this.#done = this.#walker.endsMessage && !this.#walker.isControl
      // The one who walks over it will find out.
      else if (piece === FramePiece.opaque) this.#done = true
      this.#keep(chunk, at, to)
      if (this.#textBytes >= MAX_TEXT_BYTES || this.#aheadBytes >= this.#limitBytes) this.#done = true
      at = to
    }
    return at
  }

  /** What has come of the text; what is not UTF-8 is replaced. */
  get text(): string {
    const walker = this.#start.clone()
    const text = Buffer.allocUnsafe(this.#textBytes)
    const { ahead } = this
    let offset = 0
    for (let at = 0; ;) {
      const to = walker.next(ahead, at)
      if (walker.piece === FramePiece.none || walker.piece === FramePiece.opaque) break
      // What has been read is in one piece, and so is the payload of each frame.
      if (walker.piece === FramePiece.payload && walker.opcode <= Opcode.binary) {
        walker.unmask(ahead.subarray(at, to), text.subarray(offset))
        offset += to - at
      }
      at = to
    }
    return text.toString('utf8', 0, Math.min(offset, MAX_TEXT_BYTES))
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const bytes = this.#aheadBytes + to - from
    if (bytes > this.#ahead.length) {
      const larger = Buffer.allocUnsafeSlow(bytes * 2)
      this.#ahead.copy(larger, 0, 0, this.#aheadBytes)
      this.#ahead = larger
    }
    chunk.copy(this.#ahead, this.#aheadBytes, from, to)
    this.#aheadBytes = bytes
  }
}
