// Cuts data into small pieces, with pauses between them.
import { defineFault, Schema, HoldingStage, type Held } from './fault.ts'

export interface SlicerAttributes {
  readonly average_size: number
  readonly size_variation: number
  readonly delay: number
}

/** Enough to keep slicing, and little enough that the sender feels a slow slicer. */
const HOLD_BYTES = 65_536

class SlicerStage extends HoldingStage<SlicerAttributes> {
  /** Stream offset of the front: sizes are drawn by offset, so that the kernel's chunks do not matter. */
  #offset = 0
  #sliceEnd = 0
  #nextMs = -Infinity

  /** A pause that has begun is not longer than the new one. */
  override update(attributes: SlicerAttributes): void {
    this.#nextMs = Math.min(this.#nextMs, this.context.clock.now() + Math.max(0, attributes.delay) / 1000)
    super.update(attributes)
  }

  protected override dueMs(front: Held): number {
    return typeof front.item === 'string' ? -Infinity : Math.max(this.#nextMs, front.arrivedMs)
  }

  /** A chunk's end also ends a piece: bytes are not held back to fill a slice. The slice goes on in the next chunk. */
  protected override pieceBytes(available: number): number {
    if (this.#offset >= this.#sliceEnd) {
      this.#sliceEnd = this.#offset + this.#drawSize()
      this.context.record('slice', { offset: this.#offset, bytes: this.#sliceEnd - this.#offset })
    }
    return Math.min(available, this.#sliceEnd - this.#offset)
  }

  protected override passing(_front: Held, bytes: number, dueMs: number): void {
    this.#offset += bytes
    this.#nextMs = dueMs + Math.max(0, this.attributes.delay) / 1000
  }

  protected override holdLimitBytes(): number {
    return HOLD_BYTES
  }

  #drawSize(): number {
    const { average_size: average, size_variation: variation } = this.attributes
    const swing = variation > 0 ? Math.floor(this.context.random.at(this.#offset) * (2 * variation + 1)) - variation : 0
    return Math.max(1, average + swing)
  }
}

export const slicer = defineFault<SlicerAttributes>({
  type: 'slicer',
  layer: 'stream',
  describe: 'Cuts data into pieces of average_size ± size_variation bytes, with a delay between them.',
  schema: Schema.Object({
    average_size: Schema.Integer({ default: 0, minimum: 0, description: 'Mean size in bytes; below 1 counts as 1.' }),
    size_variation: Schema.Integer({ default: 0, minimum: 0, description: 'Largest deviation from it, in bytes.' }),
    delay: Schema.Integer({ default: 0, minimum: 0, description: 'Pause between two pieces, in microseconds.' }),
  }),
  create: (attributes, context) => new SlicerStage(attributes, context),
})
