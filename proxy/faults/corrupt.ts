// Bits that arrive other than they were sent. Lengths, order and timing stay as they are.
import { defineFault, Schema, Stage } from './fault.ts'

export interface CorruptAttributes {
  readonly rate: number
}

/**
 * A chunk with more flips than this gets one record for all of them: a high rate must not flood the log. At the default
 * rate even the largest reads (256 KiB, 26 flips) stay below.
 */
const MAX_RECORDS_A_CHUNK = 64

/** Draws come in steps of 2^-32 from 0; half a step up, none is 0 and none is 1. */
const HALF_STEP = 2 ** -33

/**
 * Every byte is hit with the same chance, independently. The gaps between hits are then geometric, so it draws gaps
 * instead of bytes. Measured on chunks of 64 KiB: 5 GB/s at the default rate, where a draw a byte gives 0.2 GB/s.
 */
class CorruptStage extends Stage<CorruptAttributes> {
  /** Stream offset of the next byte: gaps and bits are drawn by offset, so that the kernel's chunks do not matter. */
  #offset = 0
  #nextHit = Infinity
  /** ln(1 - rate), by which the geometric distribution is inverted; 0 = no byte is hit. */
  #logMissed = 0

  override start(): void {
    this.#beginGap()
  }

  /** Gaps have no memory: with a new rate they begin anew from here. */
  override update(attributes: CorruptAttributes): void {
    const changed = attributes.rate !== this.attributes.rate
    super.update(attributes)
    if (changed) this.#beginGap()
  }

  override write(chunk: Buffer): void {
    const start = this.#offset
    this.#offset += chunk.length
    this.next.write(this.#nextHit < this.#offset ? this.#flip(chunk, start) : chunk)
  }

  /** A copy, as the chunk may be somebody's who needs it as it is. */
  #flip(chunk: Buffer, start: number): Buffer {
    const flipped = Buffer.from(chunk)
    const flips: { readonly offset: number; readonly bit: number }[] = []
    const first = this.#nextHit
    let offset = first
    let count = 0
    while (offset < this.#offset) {
      const bit = Math.floor(this.context.random.at(2 * offset + 1) * 8)
      flipped[offset - start] = (flipped[offset - start] ?? 0) ^ (1 << bit)
      if (count++ < MAX_RECORDS_A_CHUNK) flips.push({ offset, bit })
      offset = this.#hitFrom(offset + 1)
    }
    this.#nextHit = offset
    if (count > flips.length) this.context.record('flip', { offset: first, count })
    else for (const flip of flips) this.context.record('flip', flip)
    return flipped
  }

  #beginGap(): void {
    this.#logMissed = Math.log1p(-Math.min(1, Math.max(0, this.attributes.rate)))
    this.#nextHit = this.#hitFrom(this.#offset)
  }

  /** The first offset from this one on whose byte is hit. */
  #hitFrom(offset: number): number {
    if (this.#logMissed === 0) return Infinity
    return offset + Math.floor(Math.log(this.context.random.at(2 * offset) + HALF_STEP) / this.#logMissed)
  }
}

export const corrupt = defineFault<CorruptAttributes>({
  type: 'corrupt',
  layer: 'stream',
  describe: 'Flips one bit in each of a share of the bytes. Nothing is lost or added, and the connection goes on.',
  schema: Schema.Object({
    rate: Schema.Number({
      default: 0.0001,
      minimum: 0,
      maximum: 1,
      description: 'Share of bytes in which a bit is flipped, 0 to 1.',
    }),
  }),
  create: (attributes, context) => new CorruptStage(attributes, context),
})
