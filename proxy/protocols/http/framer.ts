// HTTP/1.x message borders (RFC 9112): where heads and bodies begin and end. Reads one direction of a connection, does no
// I/O, changes nothing, and never guesses: what two readers could understand differently is reported as opaque.
import { HeadReader, MAX_HEADERS, type BodyKind, type MethodKind } from './head-reader.ts'
import { CR, hexDigit, LF, SEMICOLON, SPACE, TAB } from './wire-bytes.ts'

export type { BodyKind, MethodKind } from './head-reader.ts'

/** What {@link HttpFramer.next} has found. */
export const Piece = {
  /** Nothing left to look at. */
  none: 0,
  /** Empty lines before a message, which are to be ignored (RFC 9112 section 2.2). */
  skipped: 1,
  /** The beginning of a head whose end has not come yet. */
  headPart: 2,
  /** The (rest of the) head; {@link HttpFramer.head} is all of it. */
  head: 3,
  /** Bytes of the body's content. */
  data: 4,
  /** Chunk sizes, extensions and the line ends around chunks. */
  framing: 5,
  /** What follows the last chunk's line: trailers and the empty line. */
  last: 6,
  /** The message is complete; no bytes belong to this piece. */
  end: 7,
  /** From here on it cannot be said what the bytes mean; {@link HttpFramer.reason} says why. Final. */
  opaque: 8,
} as const

export type Piece = (typeof Piece)[keyof typeof Piece]

/** Limits of one framer; what exceeds them makes the connection opaque. */
export const httpLimits = {
  /** Start line and headers; four times what servers usually accept. */
  maxHeadBytes: 65_536,
  maxHeaders: MAX_HEADERS,
  /** A chunk's size with its extensions. */
  maxChunkLineBytes: 16_384,
  maxTrailerBytes: 65_536,
} as const

const TOO_LONG = `a head longer than ${httpLimits.maxHeadBytes} bytes`

type State =
  | 'start'
  | 'head'
  | 'ended'
  | 'length'
  | 'close'
  | 'size_first'
  | 'size'
  | 'extension'
  | 'size_lf'
  | 'data'
  | 'data_cr'
  | 'data_lf'
  | 'trailer_start'
  | 'trailer'
  | 'trailer_lf'
  | 'last_lf'
  | 'opaque'

const NO_HEAD = Buffer.alloc(0)

export class HttpFramer {
  readonly #kind: 'request' | 'response'
  #state: State = 'start'

  /** What the last call of {@link HttpFramer.next} found. */
  piece: Piece = Piece.none
  /** Where the current message's head is: nothing is made of it until somebody asks. */
  #headIn: Buffer = NO_HEAD
  #headFrom = 0
  #headTo = 0
  /** The chunk whose head has been read by {@link HttpFramer.skim}, and where that ends. */
  #skimmed: Buffer | undefined
  #skimmedEnd = 0
  readonly #reader: HeadReader
  /** Bytes of a head that came in parts. */
  #partial: Buffer | undefined
  #partialLength = 0
  #startLineRead = false
  /** Left of the content, or of the current chunk. */
  #left = 0
  #chunkLineBytes = 0
  #trailerBytes = 0
  #reason = ''

  constructor(kind: 'request' | 'response') {
    this.#kind = kind
    this.#reader = new HeadReader(kind)
  }

  // ---- what the last head said -----------------------------------------------------------------------------------

  /** Of the current message, from its head until its end: into the chunk it came in, so copy it to keep it. */
  get head(): Buffer {
    const whole = this.#headFrom === 0 && this.#headTo === this.#headIn.length
    return whole ? this.#headIn : this.#headIn.subarray(this.#headFrom, this.#headTo)
  }

  /** The same as latin1, a character a byte: a copy. */
  get headText(): string {
    return this.#headIn.toString('latin1', this.#headFrom, this.#headTo)
  }

  get body(): BodyKind {
    return this.#reader.body
  }

  /** With body `length`: Content-Length. Below 0 without one. */
  get contentLength(): number {
    return this.#reader.contentLength
  }

  /** Of a response. */
  get status(): number {
    return this.#reader.status
  }

  /** Of a request: what decides on its answer's body (RFC 9110 section 9.3). */
  get method(): MethodKind {
    return this.#reader.method
  }

  /** 0 or 1, of HTTP/1.x. */
  get minorVersion(): number {
    return this.#reader.minorVersion
  }

  /** There is an Upgrade header that Connection names (RFC 9110 section 7.8). */
  get upgrade(): boolean {
    return this.#reader.upgrade
  }

  /** Of a response: the method that it answers. To be set before its head is read. */
  get answers(): MethodKind {
    return this.#reader.answers
  }

  set answers(method: MethodKind) {
    this.#reader.answers = method
  }

  // ---- where it is -----------------------------------------------------------------------------------------------

  /** Why {@link Piece.opaque}. */
  get reason(): string {
    return this.#reason
  }

  /** True between messages, when nothing of the next one has come. */
  get atStart(): boolean {
    return this.#state === 'start'
  }

  /** What has been reported as parts of a head whose end has not come: also if it will never come. */
  get pendingHead(): Buffer {
    return this.#partial?.subarray(0, this.#partialLength) ?? NO_HEAD
  }

  /** True between two chunks of a chunked body. */
  get betweenChunks(): boolean {
    return this.#state === 'size_first'
  }

  /** A framer in the same state inside or before a body, to look ahead with. */
  clone(): HttpFramer {
    const copy = new HttpFramer(this.#kind)
    copy.#state = this.#state
    copy.piece = this.piece
    copy.#left = this.#left
    copy.#chunkLineBytes = this.#chunkLineBytes
    copy.#trailerBytes = this.#trailerBytes
    return copy
  }

  /**
   * Looks at `chunk` from `from` on. Sets {@link HttpFramer.piece} and returns where that piece ends. To be called until
   * the piece is `none`; an `end` comes without bytes of its own.
   */
  next(chunk: Buffer, from: number): number {
    switch (this.#state) {
      case 'ended':
        this.#state = 'start'
        this.#forgetHead()
        return this.#found(Piece.end, from)
      case 'opaque':
        return this.#found(from < chunk.length ? Piece.opaque : Piece.none, chunk.length)
      case 'length':
        if (this.#left === 0) {
          this.#state = 'start'
          this.#forgetHead()
          return this.#found(Piece.end, from)
        }
        break
      default:
    }
    if (from >= chunk.length) return this.#found(Piece.none, from)
    switch (this.#state) {
      case 'start':
        return this.#start(chunk, from)
      case 'head':
        return this.#continueHead(chunk, from)
      case 'length':
        return this.#data(chunk, from)
      case 'close':
        return this.#found(Piece.data, chunk.length)
      case 'data':
        return this.#data(chunk, from)
      default:
        return this.#chunkFraming(chunk, from)
    }
  }

  /**
   * True if the chunk is one whole message of a usual kind and nothing else, which has then been read; else it is to be
   * given to {@link HttpFramer.next}. The short way for most chunks: half the time of pieces.
   */
  skim(chunk: Buffer): boolean {
    if (this.#state !== 'start' || (chunk[0] as number) <= CR) return false
    const end = this.#reader.read(chunk, 0)
    const { body, contentLength, status } = this.#reader
    if (end > 0 && end <= httpLimits.maxHeadBytes && (this.#kind === 'request' || status >= 200)) {
      const bodyBytes = body === 'none' ? 0 : body === 'length' ? contentLength : -1
      if (bodyBytes >= 0 && end + bodyBytes === chunk.length) return true
    }
    // Not to be read twice.
    this.#skimmed = chunk
    this.#skimmedEnd = end
    return false
  }

  /** The source has ended: a body that lasts until then is complete. Returns true if that was so. */
  finish(): boolean {
    if (this.#state !== 'close') return false
    this.#state = 'start'
    this.#forgetHead()
    return true
  }

  /** Nothing that comes is looked at any more. */
  giveUp(reason: string): void {
    this.#state = 'opaque'
    this.#reason = reason
  }

  #forgetHead(): void {
    this.#headIn = NO_HEAD
    this.#headFrom = this.#headTo = 0
  }

  #found(piece: Piece, end: number): number {
    this.piece = piece
    return end
  }

  #opaque(reason: string, at: number): number {
    this.giveUp(reason)
    return this.#found(Piece.opaque, at)
  }

  // ---- heads -----------------------------------------------------------------------------------------------------

  #start(chunk: Buffer, from: number): number {
    const first = chunk[from] as number
    if (first === CR || first === LF) {
      let at = from + 1
      while (at < chunk.length && (chunk[at] === CR || chunk[at] === LF)) at++
      return this.#found(Piece.skipped, at)
    }
    const end = this.#skimmed === chunk && from === 0 ? this.#skimmedEnd : this.#reader.read(chunk, from)
    this.#skimmed = undefined
    if (end - from > httpLimits.maxHeadBytes) return this.#opaque(TOO_LONG, from)
    if (end > 0) {
      return this.#headDone(chunk, from, end, end)
    }
    if (end < 0) return this.#opaque(this.#reader.reason, from)
    this.#state = 'head'
    this.#partialLength = 0
    this.#startLineRead = false
    return this.#continueHead(chunk, from)
  }

  /** Collects a head that comes in parts, looking at each byte once until the head's end is there. */
  #continueHead(chunk: Buffer, from: number): number {
    const before = this.#partialLength
    const end = this.#findHeadEnd(chunk, from)
    const taken = (end === 0 ? chunk.length : end) - from
    if (before + taken > httpLimits.maxHeadBytes) return this.#opaque(TOO_LONG, from)
    const partial = this.#room(before + taken)
    chunk.copy(partial, before, from, from + taken)
    const head = partial.subarray(0, before + taken)
    if (end === 0) {
      if (!this.#canGoOn(head, before)) return this.#opaque(this.#reader.reason, from)
      this.#partialLength = head.length
      return this.#found(Piece.headPart, chunk.length)
    }
    const read = this.#reader.read(head, 0)
    if (read !== head.length) {
      return this.#opaque(read < 0 ? this.#reader.reason : 'a head with unclear line ends', from)
    }
    this.#partial = undefined
    this.#partialLength = 0
    return this.#headDone(head, 0, head.length, end)
  }

  /** Another protocol must be known by its first bytes or line: its server may not say a word before it has them. */
  #canGoOn(head: Buffer, before: number): boolean {
    if (this.#startLineRead) return true
    const lineEnd = head.indexOf(LF, before)
    if (lineEnd < 0) return this.#reader.canBecomeHead(head)
    this.#startLineRead = true
    return this.#reader.readStartLine(head, lineEnd)
  }

  #room(bytes: number): Buffer {
    if (this.#partial && this.#partial.length >= bytes) return this.#partial
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(1024, bytes * 2), httpLimits.maxHeadBytes))
    this.#partial?.copy(larger, 0, 0, this.#partialLength)
    return (this.#partial = larger)
  }

  /** Where in the chunk the head that began earlier ends: behind an empty line. 0 = not here. */
  #findHeadEnd(chunk: Buffer, from: number): number {
    // The bytes before the chunk, as a line end may be cut.
    const before = this.#partialLength
    const at = (index: number): number | undefined =>
      index >= from
        ? chunk[index]
        : this.#partial && before + index - from >= 0
          ? this.#partial[before + index - from]
          : 0
    for (let lf = chunk.indexOf(LF, from); lf >= 0; lf = chunk.indexOf(LF, lf + 1)) {
      const previous = at(lf - 1)
      if (previous === LF || (previous === CR && at(lf - 2) === LF)) return lf + 1
    }
    return 0
  }

  #headDone(buffer: Buffer, from: number, to: number, end: number): number {
    this.#headIn = buffer
    this.#headFrom = from
    this.#headTo = to
    switch (this.body) {
      case 'none':
        this.#state = 'ended'
        break
      case 'length':
        this.#state = 'length'
        this.#left = this.contentLength
        break
      case 'chunked':
        this.#state = 'size_first'
        this.#chunkLineBytes = 0
        this.#trailerBytes = 0
        break
      case 'close':
        this.#state = 'close'
    }
    return this.#found(Piece.head, end)
  }

  // ---- bodies ----------------------------------------------------------------------------------------------------

  #data(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.#left)
    this.#left -= end - from
    if (this.#left === 0 && this.#state === 'data') this.#state = 'data_cr'
    return this.#found(Piece.data, end)
  }

  /** Walks over what is not content of a chunked body, up to the next content or the end (RFC 9112 section 7.1). */
  #chunkFraming(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length) {
      const byte = chunk[at] as number
      switch (this.#state) {
        case 'size_first': {
          const value = hexDigit(byte)
          if (value < 0) return this.#opaque('a chunk size that is no number', from)
          this.#left = value
          this.#chunkLineBytes = 1
          this.#state = 'size'
          break
        }
        case 'size': {
          const value = hexDigit(byte)
          if (value >= 0) {
            this.#left = this.#left * 16 + value
            if (!Number.isSafeInteger(this.#left)) return this.#opaque('a chunk size that is too large', from)
            if (++this.#chunkLineBytes > 32) return this.#opaque('a chunk size that is too long', from)
          } else if (byte === CR) {
            this.#state = 'size_lf'
          } else if (byte === SEMICOLON) {
            this.#state = 'extension'
          } else return this.#opaque('a chunk size that is no number', from)
          break
        }
        case 'extension':
          if (byte === CR) this.#state = 'size_lf'
          else if (byte < SPACE && byte !== TAB) {
            return this.#opaque('a chunk extension with control characters', from)
          } else if (++this.#chunkLineBytes > httpLimits.maxChunkLineBytes) {
            return this.#opaque(`a chunk line longer than ${httpLimits.maxChunkLineBytes} bytes`, from)
          }
          break
        case 'size_lf':
          if (byte !== LF) return this.#opaque('a CR without LF in a chunk line', from)
          this.#state = this.#left > 0 ? 'data' : 'trailer_start'
          return this.#found(Piece.framing, at + 1)
        case 'data_cr':
          if (byte !== CR) return this.#opaque('a chunk longer than its size', from)
          this.#state = 'data_lf'
          break
        case 'data_lf':
          if (byte !== LF) return this.#opaque('a chunk longer than its size', from)
          this.#state = 'size_first'
          break
        case 'trailer_start':
          if (byte === CR) this.#state = 'last_lf'
          else if (byte === LF) return this.#lastDone(at + 1)
          else this.#state = 'trailer'
          break
        case 'trailer':
          if (byte === LF) this.#state = 'trailer_start'
          else if (byte === CR) this.#state = 'trailer_lf'
          break
        case 'trailer_lf':
          if (byte !== LF) return this.#opaque('a CR without LF in a trailer', from)
          this.#state = 'trailer_start'
          break
        case 'last_lf':
          if (byte !== LF) return this.#opaque('a CR without LF in a trailer', from)
          return this.#lastDone(at + 1)
        default:
          throw new Error(`unexpected state ${this.#state}`)
      }
      at++
      if (this.#inTrailers && ++this.#trailerBytes > httpLimits.maxTrailerBytes) {
        return this.#opaque(`trailers longer than ${httpLimits.maxTrailerBytes} bytes`, from)
      }
    }
    return this.#found(this.#inTrailers ? Piece.last : Piece.framing, at)
  }

  get #inTrailers(): boolean {
    const state = this.#state
    return state === 'trailer' || state === 'trailer_start' || state === 'trailer_lf' || state === 'last_lf'
  }

  #lastDone(end: number): number {
    this.#state = 'ended'
    return this.#found(Piece.last, end)
  }
}
