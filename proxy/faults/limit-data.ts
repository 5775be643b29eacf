// A connection that ends in the middle of things.
import { defineFault, Schema, Stage } from './fault.ts'

export interface LimitDataAttributes {
  readonly bytes: number
}

class LimitDataStage extends Stage<LimitDataAttributes> {
  /** Survives updates: the limit is on what the connection has carried since the fault took hold. */
  #passedBytes = 0
  #closed = false

  override write(chunk: Buffer): void {
    if (this.#closed) return
    const leftBytes = Math.max(0, this.attributes.bytes - this.#passedBytes)
    const passed = chunk.length <= leftBytes ? chunk : chunk.subarray(0, leftBytes)
    this.#passedBytes += passed.length
    if (passed.length > 0) this.next.write(passed)
    if (passed.length === leftBytes) {
      this.#closed = true
      this.context.record('close', { offset: this.#passedBytes })
      this.next.close()
    }
  }

  override end(): void {
    if (!this.#closed) this.next.end()
  }
}

export const limitData = defineFault<LimitDataAttributes>({
  type: 'limit_data',
  layer: 'stream',
  describe: 'Closes the connection once this many bytes have passed; the count survives changes of the limit.',
  schema: Schema.Object({
    bytes: Schema.Integer({ default: 0, minimum: 0, description: 'Bytes that pass before the connection is closed.' }),
  }),
  create: (attributes, context) => new LimitDataStage(attributes, context),
})
