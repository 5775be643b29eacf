// A connection on which nothing arrives any more, and nobody is told.
import { defineFault, Schema, Stage, type Signal } from './fault.ts'

class BlackholeStage extends Stage<object> {
  #swallowedBytes = 0
  /** The latest that came; a later one is never the weaker. */
  #signal: Signal | undefined

  /** One record for each connection, as bytes may come for ever. */
  override write(chunk: Buffer): void {
    if (this.#swallowedBytes === 0) this.context.record('drop')
    this.#swallowedBytes += chunk.length
  }

  override end(): void {
    this.#keep('end')
  }

  /** Also the close of a fault before this one. */
  override close(): void {
    this.#keep('close')
  }

  override reset(): void {
    this.#keep('reset')
  }

  /** With bytes missing, the connection can't go on as if nothing had happened. How it ended can still be told. */
  override remove(): void {
    if (this.#swallowedBytes > 0) {
      this.context.record('reset', { bytes: this.#swallowedBytes })
      this.next.reset()
    } else if (this.#signal) this.next[this.#signal]()
  }

  #keep(signal: Signal): void {
    this.context.record('drop', { signal })
    this.#signal = signal
  }
}

export const blackhole = defineFault({
  type: 'blackhole',
  layer: 'stream',
  describe:
    'Swallows all data, FIN and RST, silently and for as long as it is there. When removed it resets the connection ' +
    '(RST to both ends) if it has swallowed data; else the connection goes on, or ends as it was to.',
  schema: Schema.Object({}),
  create: (attributes, context) => new BlackholeStage(attributes, context),
})
