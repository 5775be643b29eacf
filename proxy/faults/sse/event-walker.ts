// Borders of server-sent events (WHATWG HTML, section 9.2.5 and 9.2.6): which lines a stream of bytes has, which of them
// end an event, and whether it is one. Changes nothing; bytes may be cut anywhere, also between CR and LF.

/** What {@link EventWalker.next} has found. */
export const EventPiece = {
  /** Nothing left to look at. */
  none: 0,
  /** A part of a block of lines, with as many of them as came. */
  part: 1,
  /** The (rest of the) block, with the empty line that ends it. */
  blockEnd: 2,
  /** The LF of a CRLF that came in two parts; belongs to what was before. */
  lineFeed: 3,
} as const

export type EventPiece = (typeof EventPiece)[keyof typeof EventPiece]

const LF = 10
const CR = 13
const COLON = 58

/** The field that makes a block an event: without it, e.g. a comment, nothing is dispatched. */
const DATA = 'data'

/** A stream may begin with it; it belongs to no line. */
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'

/** Longer names are no field that matters. */
const MAX_NAME_LENGTH = BYTE_ORDER_MARK.length + DATA.length + 1

export class EventWalker {
  /** What the last call of {@link EventWalker.next} found. */
  piece: EventPiece = EventPiece.none
  /** The block has data as far as it has come, so it is an event. */
  hasData = false
  /** The line's first bytes, until its field's name is known. */
  #name: string | undefined = ''
  #lineIsEmpty = true
  #firstLine = true
  #afterCr = false
  #blockEnded = false

  /**
   * Looks at `chunk` from `from` on. Sets {@link EventWalker.piece} and returns where that piece ends. A part ends early
   * where the block turns out to be an event.
   */
  next(chunk: Buffer, from: number): number {
    if (from >= chunk.length) return this.#found(EventPiece.none, from)
    if (this.#afterCr) {
      this.#afterCr = false
      if (chunk[from] === LF) return this.#found(EventPiece.lineFeed, from + 1)
    }
    if (this.#blockEnded) {
      this.#blockEnded = false
      this.hasData = false
    }
    const hadData = this.hasData
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0
      if (byte !== LF && byte !== CR) {
        this.#lineIsEmpty = false
        if (this.#name === undefined) continue
        this.#nameByte(byte)
      } else {
        const isEmpty = this.#endLine()
        let to = at + 1
        if (byte === CR && to === chunk.length) this.#afterCr = true
        else if (byte === CR && chunk[to] === LF) to++
        at = to - 1
        if (isEmpty) {
          this.#blockEnded = true
          return this.#found(EventPiece.blockEnd, to)
        }
      }
      if (this.hasData !== hadData) return this.#found(EventPiece.part, at + 1)
    }
    return this.#found(EventPiece.part, chunk.length)
  }

  #found(piece: EventPiece, end: number): number {
    this.piece = piece
    return end
  }

  #nameByte(byte: number): void {
    if (byte === COLON) return this.#endName()
    const name = (this.#name ?? '') + String.fromCharCode(byte)
    this.#name = name.length > MAX_NAME_LENGTH ? undefined : name
  }

  /** The field's name is complete: at the colon, or at the end of a line without one. */
  #endName(): void {
    if (this.#name === undefined) return
    const name = this.#firstLine ? this.#name.replace(BYTE_ORDER_MARK, '') : this.#name
    if (name === DATA) this.hasData = true
    this.#name = undefined
  }

  /** Returns true if there was nothing in it. */
  #endLine(): boolean {
    const isEmpty = this.#lineIsEmpty || (this.#firstLine && this.#name === BYTE_ORDER_MARK)
    this.#endName()
    this.#lineIsEmpty = true
    this.#name = ''
    this.#firstLine = false
    return isEmpty
  }
}
