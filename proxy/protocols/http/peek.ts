// Looks at the content of a body that has not been passed on yet, without touching it.
import { Piece, type HttpFramer } from './framer.ts'

/** Raw bytes for each byte of content that is looked for: chunks of one byte take six. */
const RAW_FACTOR = 8
const RAW_MIN_BYTES = 65_536

export class Peek {
  readonly #framer: HttpFramer
  readonly #limit: number
  readonly #pieces: Buffer[] = []
  #contentBytes = 0
  #rawBytes = 0
  /** All content has been seen. */
  complete = false
  /** Nothing more is looked at: complete, or as much as was asked for. */
  done = false

  /** @param framer right behind the head; it is copied */
  constructor(framer: HttpFramer, limit: number) {
    this.#framer = framer.clone()
    this.#limit = limit
    this.feed(Buffer.alloc(0))
  }

  /** The next raw bytes of the connection, which must stay as they are. */
  feed(chunk: Buffer): void {
    const framer = this.#framer
    this.#rawBytes += chunk.length
    let at = 0
    while (!this.done) {
      const to = framer.next(chunk, at)
      if (framer.piece === Piece.none) break
      if (framer.piece === Piece.data) {
        this.#pieces.push(chunk.subarray(at, to))
        this.#contentBytes += to - at
        this.done = this.#contentBytes >= this.#limit
      } else if (framer.piece === Piece.end) {
        this.complete = this.done = true
      } else if (framer.piece === Piece.opaque) this.done = true
      at = to
    }
    if (this.#rawBytes >= this.#limit * RAW_FACTOR + RAW_MIN_BYTES) this.done = true
  }

  /** The source has ended. */
  finish(): void {
    this.complete ||= this.#framer.finish()
    this.done = true
  }

  /** What has been seen, at most as much as was asked for. */
  get content(): Buffer {
    const content = Buffer.concat(this.#pieces)
    return content.length > this.#limit ? content.subarray(0, this.#limit) : content
  }
}
