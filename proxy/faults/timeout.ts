// A connection on which nothing arrives any more, and which is closed in the end.
import { defineFault, Schema, Stage, type StageContext } from './fault.ts'

export interface TimeoutAttributes {
  readonly timeout: number
}

class TimeoutStage extends Stage<TimeoutAttributes> {
  readonly #startMs: number
  #timer: unknown
  #closed = false
  #swallowedBytes = 0

  constructor(attributes: TimeoutAttributes, context: StageContext) {
    super(attributes, context)
    this.#startMs = context.clock.now()
  }

  override start(): void {
    this.#arm()
  }

  override update(attributes: TimeoutAttributes): void {
    super.update(attributes)
    this.#arm()
  }

  override write(chunk: Buffer): void {
    if (this.#swallowedBytes === 0 && !this.#closed) this.context.record('drop')
    this.#swallowedBytes += chunk.length
  }

  override end(): void {}

  override close(): void {}

  override reset(): void {}

  /** Bytes have been destroyed, or may have been: the connection cannot go on as if nothing had happened. */
  override remove(): void {
    this.#close()
  }

  override dispose(): void {
    this.context.clock.clearTimer(this.#timer)
  }

  /** The time counts from when the fault took hold, whatever arrives or changes meanwhile. */
  #arm(): void {
    this.context.clock.clearTimer(this.#timer)
    const { timeout } = this.attributes
    if (timeout <= 0 || this.#closed) return
    const leftMs = this.#startMs + timeout - this.context.clock.now()
    // The clock may wake early (long waits, whole milliseconds), so look at it again then.
    this.#timer = this.context.clock.setTimer(() => (this.#due ? this.#close() : this.#arm()), leftMs)
  }

  get #due(): boolean {
    return this.context.clock.now() >= this.#startMs + this.attributes.timeout
  }

  #close(): void {
    this.context.clock.clearTimer(this.#timer)
    if (this.#closed) return
    this.#closed = true
    this.context.record('close')
    this.next.close()
  }
}

export const timeout = defineFault<TimeoutAttributes>({
  type: 'timeout',
  layer: 'stream',
  describe:
    'Stops all data and closes the connection after the timeout; at 0 it stays open until the fault is removed.',
  schema: Schema.Object({
    timeout: Schema.Integer({ default: 0, minimum: 0, description: 'Time in milliseconds; 0 = never.' }),
  }),
  create: (attributes, context) => new TimeoutStage(attributes, context),
})
