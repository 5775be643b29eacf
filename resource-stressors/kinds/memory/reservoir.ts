// Memory that is really taken: written to, with bytes that no kernel can merge or compress, and given back at once.
import { randomFillSync } from 'node:crypto'

const MIB = 2 ** 20
/** Taken at a time; between two steps there is time for a look at the floor. */
export const STEP_BYTES = 4 * MIB
/** V8 allows no array buffer of 8 GiB. */
const BUFFER_BYTES = 1024 * MIB
const PAGE_BYTES = 4096
/** So much is random, and is repeated: whoever compresses or merges memory does so page by page. */
const BLOCK_BYTES = 256 * 1024

/**
 * Resizable array buffers: unlike what garbage collection has to find, shrinking gives their pages back at once.
 */
export class Reservoir {
  #buffers: ArrayBuffer[] = []
  #bytes = 0
  #stamp = 0
  readonly #block = randomFillSync(new Uint8Array(BLOCK_BYTES))

  /** Held, and resident when it was taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Takes more. At most {@link STEP_BYTES}. */
  grow(bytes: number): void {
    let last = this.#buffers.at(-1)
    if (!last || last.byteLength === last.maxByteLength) {
      last = new ArrayBuffer(0, { maxByteLength: BUFFER_BYTES })
      this.#buffers.push(last)
    }
    const offset = last.byteLength
    const length = Math.min(bytes, STEP_BYTES, last.maxByteLength - offset)
    last.resize(offset + length)
    const taken = new Uint8Array(last, offset, length)
    for (let begin = 0; begin < length; begin += BLOCK_BYTES) {
      taken.set(this.#block.subarray(0, Math.min(BLOCK_BYTES, length - begin)), begin)
    }
    this.#stampPages(new DataView(last, offset, length))
    this.#bytes += length
  }

  /** No two pages are alike. */
  #stampPages(taken: DataView): void {
    for (let offset = 0; offset + 8 <= taken.byteLength; offset += PAGE_BYTES) taken.setFloat64(offset, ++this.#stamp)
  }

  /** Gives back what is more than this. */
  shrinkTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const last = this.#buffers.at(-1)
      if (!last) break
      const length = Math.max(0, last.byteLength - (this.#bytes - bytes))
      this.#bytes -= last.byteLength - length
      last.resize(length)
      if (length === 0) this.#buffers.pop()
    }
  }

  /** Reads a byte of every page, so that what was swapped out comes back. */
  touch(): number {
    let sum = 0
    for (const buffer of this.#buffers) {
      const bytes = new Uint8Array(buffer)
      for (let offset = 0; offset < bytes.length; offset += PAGE_BYTES) sum += bytes[offset] ?? 0
    }
    return sum
  }
}
