// Memory that is really taken: written to, with bytes that no kernel can merge or compress, and given back at once.
import { randomFillSync } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MIB = 2 ** 20
/** Taken at a time; between two steps there is time for a look at the floor. */
export const STEP_BYTES = 4 * MIB
/**
 * Reserved at a time, and given back at a time. The allocator asks the kernel for each by itself, and so can ask for
 * huge pages (see process.ts).
 */
const BLOCK_BYTES = 64 * MIB
const PAGE_BYTES = 4096
/** So much is random, and is repeated: whoever compresses or merges memory does so page by page. */
const PATTERN_BYTES = 256 * 1024

export class Reservoir {
  /** Reserved, and resident as far as they have been written to. All but the last are full. */
  #blocks: Buffer[] = []
  /** Of the last block. */
  #filledBytes = BLOCK_BYTES
  #stamp = 0
  readonly #pattern = randomFillSync(new Uint8Array(PATTERN_BYTES))
  readonly #collectGarbage = garbageCollector()

  /** Held, and resident when it was taken. */
  get bytes(): number {
    return (this.#blocks.length - 1) * BLOCK_BYTES + this.#filledBytes
  }

  /** Takes more. At most {@link STEP_BYTES}. */
  grow(bytes: number): void {
    if (this.#filledBytes === BLOCK_BYTES) {
      this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES)) // not one of zeros, which writing would make resident
      this.#filledBytes = 0
    }
    const last = this.#blocks.at(-1) as Buffer
    const begin = this.#filledBytes
    const end = begin + Math.min(bytes, STEP_BYTES, BLOCK_BYTES - begin)
    for (let offset = begin; offset < end; offset += PATTERN_BYTES) {
      last.set(this.#pattern.subarray(0, Math.min(PATTERN_BYTES, end - offset)), offset)
    }
    // No two pages are alike.
    for (let offset = begin; offset + 8 <= end; offset += PAGE_BYTES) last.writeDoubleLE(++this.#stamp, offset)
    this.#filledBytes = end
  }

  /** Gives back what is more than this, and up to a block beyond it: that has to be taken anew. */
  shrinkTo(bytes: number): void {
    if (bytes >= this.bytes) return
    while (this.#blocks.length > 0 && this.bytes > bytes) {
      this.#blocks.pop()
      this.#filledBytes = BLOCK_BYTES
    }
    this.#collectGarbage()
    // The first leaves the freeing to another thread; the second waits for that. Memory is given back before it is told.
    this.#collectGarbage()
  }

  /** Reads a byte of every page, so that what was swapped out comes back. */
  touch(): number {
    let sum = 0
    for (const block of this.#blocks) {
      const end = block === this.#blocks.at(-1) ? this.#filledBytes : BLOCK_BYTES
      for (let offset = 0; offset < end; offset += PAGE_BYTES) sum += block[offset] ?? 0
    }
    return sum
  }
}

/** Without it, blocks that nobody holds any more would stay for as long as little else is allocated. */
function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
