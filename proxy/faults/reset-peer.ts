// RST instead of an answer.
import { Deadline, defineFault, Schema, HoldingStage, type StageContext } from './fault.ts'

export interface ResetPeerAttributes {
  readonly timeout: number
}

/**
 * With a timeout of 0 the RST comes with the first byte this way, or after this time on an idle connection. At once
 * would race the client's first write, which succeeds with Toxiproxy.
 */
const IDLE_GRACE_MS = 50

class ResetPeerStage extends HoldingStage<ResetPeerAttributes> {
  readonly #startMs: number
  readonly #deadline: Deadline
  /** The RST has been sent on; it may still be held by a fault behind this one. */
  #done = false

  constructor(attributes: ResetPeerAttributes, context: StageContext) {
    super(attributes, context)
    this.#startMs = context.clock.now()
    this.#deadline = new Deadline(context.clock, () => this.#reset())
  }

  override start(): void {
    this.#arm()
  }

  override update(attributes: ResetPeerAttributes): void {
    this.attributes = attributes
    this.#arm()
  }

  /** Nothing passes before the RST; removed in time, the fault has destroyed nothing. */
  override write(chunk: Buffer): void {
    if (this.attributes.timeout <= 0) this.#reset()
    else this.hold(chunk)
  }

  override remove(): void {
    this.#deadline.clear()
    super.remove()
  }

  override dispose(): void {
    this.#deadline.clear()
    super.dispose()
  }

  protected override dueMs(): number {
    return Infinity
  }

  #arm(): void {
    const { timeout } = this.attributes
    if (!this.#done) this.#deadline.set(this.#startMs + (timeout > 0 ? timeout : IDLE_GRACE_MS))
  }

  #reset(): void {
    if (this.#done) return
    this.#done = true
    this.dispose()
    this.context.record('reset')
    this.next.reset()
  }
}

export const resetPeer = defineFault<ResetPeerAttributes>({
  type: 'reset_peer',
  layer: 'stream',
  describe: 'Lets nothing through and resets the connection (RST to both ends) after the timeout, also when idle.',
  schema: Schema.Object({
    timeout: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Time in milliseconds; 0 = with the first byte, or after 50 ms without one.',
    }),
  }),
  create: (attributes, context) => new ResetPeerStage(attributes, context),
})
