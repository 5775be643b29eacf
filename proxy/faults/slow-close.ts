// Holds back the end of a connection, not its data.
import { defineFault, Schema, HoldingStage, type Held } from './fault.ts'

export interface SlowCloseAttributes {
  readonly delay: number
}

class SlowCloseStage extends HoldingStage<SlowCloseAttributes> {
  /**
   * Bytes behind a held close come when the fault that closed was removed. It had destroyed some: with that gap before
   * them, these must not arrive.
   */
  override write(chunk: Buffer): void {
    if (this.empty) this.next.write(chunk)
  }

  override end(): void {
    this.#delay('end')
  }

  override close(): void {
    this.#delay('close')
  }

  /** RST is not a close: it goes through, and what waits for it is obsolete. */
  override reset(): void {
    this.dispose()
    this.next.reset()
  }

  protected override dueMs(front: Held): number {
    return front.arrivedMs + this.attributes.delay
  }

  #delay(signal: 'end' | 'close'): void {
    const { delay } = this.attributes
    if (delay > 0) this.context.record('delay_close', { delayMs: delay })
    this.hold(signal)
  }
}

export const slowClose = defineFault<SlowCloseAttributes>({
  type: 'slow_close',
  layer: 'stream',
  describe: 'Delays the end of the stream (FIN), not the data before it.',
  schema: Schema.Object({
    delay: Schema.Integer({ default: 0, minimum: 0, description: 'Delay in milliseconds.' }),
  }),
  create: (attributes, context) => new SlowCloseStage(attributes, context),
})
