// The last sink of a body that went through stages: gives content its transfer coding again.
/** Where written bytes go. */
interface Output {
  write(bytes: Buffer): void
}

/** How the bytes of a body are to be written; `unframed` = as they come. */
export type WrittenAs = 'chunked' | 'unframed'

const CRLF = Buffer.from('\r\n')
const LAST_CHUNK = Buffer.from('0\r\n')

/** Chunks up to this are written as one piece. */
const JOIN_BELOW_BYTES = 16_384

export class BodyWriter {
  readonly #output: Output
  readonly #writtenAs: WrittenAs
  readonly #done: (how: 'end' | 'close' | 'reset') => void
  /** Trailers and the empty line behind them, as they came. */
  #trailers: Buffer = CRLF
  #finished = false

  /** @param done called once, when nothing more will come */
  constructor(output: Output, writtenAs: WrittenAs, done: (how: 'end' | 'close' | 'reset') => void) {
    this.#output = output
    this.#writtenAs = writtenAs
    this.#done = done
  }

  /** To be called before the end. */
  set trailers(bytes: Buffer) {
    this.#trailers = bytes
  }

  write(content: Buffer): void {
    if (this.#finished || content.length === 0) return
    if (this.#writtenAs === 'unframed') return this.#output.write(content)
    const size = Buffer.from(`${content.length.toString(16)}\r\n`, 'latin1')
    if (content.length < JOIN_BELOW_BYTES) return this.#output.write(Buffer.concat([size, content, CRLF]))
    this.#output.write(size)
    this.#output.write(content)
    this.#output.write(CRLF)
  }

  end(): void {
    if (this.#finished) return
    if (this.#writtenAs === 'chunked') this.#output.write(Buffer.concat([LAST_CHUNK, this.#trailers]))
    this.#finish('end')
  }

  close(): void {
    this.#finish('close')
  }

  reset(): void {
    this.#finish('reset')
  }

  #finish(how: 'end' | 'close' | 'reset'): void {
    if (this.#finished) return
    this.#finished = true
    this.#done(how)
  }
}
