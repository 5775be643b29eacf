// A connection on which nothing arrives any more, and which is closed in the end.
import { Deadline, defineFault, Schema, Stage, type StageContext } from './fault.ts'

export interface TimeoutAttributes {
  readonly timeout: number
}

class TimeoutStage extends Stage<TimeoutAttributes> {
  readonly #startMs: number
  readonly #deadline: Deadline
  #closed = false
  #swallowed = false

  constructor(attributes: TimeoutAttributes, context: StageContext) {
    super(attributes, context)
    this.#startMs = context.clock.now()
    this.#deadline = new Deadline(context.clock, () => this.#close())
  }

  override start(): void {
    this.#arm()
  }

  override update(attributes: TimeoutAttributes): void {
    super.update(attributes)
    this.#arm()
  }

  override write(): void {
    if (this.#swallowed || this.#closed) return
    this.#swallowed = true
    this.context.record('drop')
  }

  override end(): void {}

  override close(): void {}

  override reset(): void {}

  /** Bytes have been destroyed, or may have been: the connection cannot go on as if nothing had happened. */
  override remove(): void {
    this.#close()
  }

  override dispose(): void {
    this.#deadline.clear()
  }

  /** The time counts from when the fault took hold, whatever arrives or changes meanwhile. */
  #arm(): void {
    const { timeout } = this.attributes
    this.#deadline.set(timeout > 0 && !this.#closed ? this.#startMs + timeout : Infinity)
  }

  #close(): void {
    this.#deadline.clear()
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
