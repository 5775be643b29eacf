// A stream that stops, and goes on later as if nothing had happened.
import { defineFault, HoldingStage, Schema, type StageContext } from './fault.ts'

export interface StallAttributes {
  readonly bytes: number
  readonly afterMs: number
  readonly durationMs: number
}

/** As little as a small socket buffer, so that the sender feels it. */
const HOLD_BYTES = 65_536

/** Flows, then stalls once, then flows for ever. */
class StallStage extends HoldingStage<StallAttributes> {
  readonly #startMs: number
  #passedBytes = 0
  /** Since when something has been kept; undefined before. */
  #sinceMs: number | undefined
  #over = false

  constructor(attributes: StallAttributes, context: StageContext) {
    super(attributes, context)
    this.#startMs = context.clock.now()
  }

  override write(chunk: Buffer): void {
    if (this.#sinceMs !== undefined) return this.#follow(chunk)
    const passes = Math.min(chunk.length, this.#leftBytes())
    this.#passedBytes += passes
    if (passes > 0) this.next.write(passes === chunk.length ? chunk : chunk.subarray(0, passes))
    if (passes === chunk.length) return
    this.#begin()
    this.hold(chunk.subarray(passes))
  }

  /** The end of the stream is kept like a byte, also when it comes right behind the last one that passes. */
  override end(): void {
    this.#beginIfDue()
    super.end()
  }

  override close(): void {
    this.#beginIfDue()
    super.close()
  }

  override reset(): void {
    this.#beginIfDue()
    super.reset()
  }

  protected override dueMs(): number {
    if (this.#sinceMs === undefined || this.#over) return -Infinity
    const { durationMs } = this.attributes
    return durationMs > 0 ? this.#sinceMs + durationMs : Infinity
  }

  protected override passing(): void {
    if (this.#sinceMs === undefined || this.#over) return
    this.#over = true
    this.context.record('resume', { offset: this.#passedBytes })
  }

  protected override holdLimitBytes(): number {
    return HOLD_BYTES
  }

  /** Behind what is kept; straight on once that has gone. */
  #follow(chunk: Buffer): void {
    if (this.#over && this.empty) this.next.write(chunk)
    else this.hold(chunk)
  }

  /** How many bytes may still pass: before its time, any number. */
  #leftBytes(): number {
    const { bytes, afterMs } = this.attributes
    if (this.context.clock.now() < this.#startMs + afterMs) return Infinity
    return Math.max(0, bytes - this.#passedBytes)
  }

  #beginIfDue(): void {
    if (this.#sinceMs === undefined && this.#leftBytes() === 0) this.#begin()
  }

  #begin(): void {
    this.#sinceMs = this.context.clock.now()
    this.context.record('stall', { offset: this.#passedBytes })
  }
}

export const stall = defineFault<StallAttributes>({
  type: 'stall',
  layer: 'stream',
  describe:
    'Stops the flow once, after so many bytes and so much time, keeps what comes then, FIN and RST included, and ' +
    'passes it on after durationMs or when removed: nothing is lost.',
  schema: Schema.Object({
    bytes: Schema.Integer({ default: 0, minimum: 0, description: 'Bytes that pass before, at least.' }),
    afterMs: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Time in milliseconds, from when the fault took hold of the connection, in which all passes.',
    }),
    durationMs: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Time in milliseconds from the first byte that is kept; 0 = until the fault is removed.',
    }),
  }),
  create: (attributes, context) => new StallStage(attributes, context),
})
