// Limits throughput the way a slow line does: every byte takes its time, and what is queued is bounded.
import { defineFault, Schema, HoldingStage, type Held } from './fault.ts'

export interface BandwidthAttributes {
  readonly rate: number
}

/** A packet's worth: a slow line passes bytes on in such pieces. */
const PACKET_BYTES = 1460
/** A fast line's piece is what it sends in this time; timers are no finer than a millisecond. */
const FAST_PIECE_MS = 5
/** A very slow line's piece is at most what it sends in this time, so that it is seen to move. */
const SLOW_PIECE_MS = 100
/** The line queues what it sends in this time, then the sender feels it … */
const QUEUE_MS = 100
/** … but at least this much, a small socket buffer. */
const MIN_QUEUE_BYTES = 65_536

class BandwidthStage extends HoldingStage<BandwidthAttributes> {
  /** Until when the line is busy with what has already been passed on. */
  #busyUntilMs = -Infinity
  /** Since when the line has been sending the front piece, and what it had sent of it under earlier rates. */
  #startMs = 0
  #sentBytes = 0
  #offset = 0

  override write(chunk: Buffer): void {
    const idle = this.empty
    this.hold(chunk)
    // One record for each time that the line starts to hold bytes back.
    if (idle && !this.empty) this.context.record('throttle', { rate: this.attributes.rate, offset: this.#offset })
    this.#offset += chunk.length
  }

  /**
   * What the old rate has sent of the front piece stays sent, so that a rate that changes all the time does not stop
   * the line. Bytes that waited through a rate of 0 have not earned a burst.
   */
  override update(attributes: BandwidthAttributes): void {
    const nowMs = this.context.clock.now()
    if (!this.empty) this.#sentBytes += Math.max(0, nowMs - this.#startMs) * this.#bytesPerMs
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs)
    super.update(attributes)
  }

  protected override dueMs(front: Held): number {
    if (typeof front.item === 'string') return -Infinity
    if (this.#bytesPerMs === 0) return Infinity
    this.#startMs = Math.max(this.#busyUntilMs, front.arrivedMs)
    const leftBytes = Math.max(0, this.pieceBytes(front.item.length) - this.#sentBytes)
    return this.#startMs + leftBytes / this.#bytesPerMs
  }

  protected override pieceBytes(available: number): number {
    const rate = this.#bytesPerMs
    const packet = Math.min(PACKET_BYTES, rate * SLOW_PIECE_MS)
    return Math.min(available, Math.max(1, Math.floor(Math.max(packet, rate * FAST_PIECE_MS))))
  }

  protected override passing(_front: Held, bytes: number, dueMs: number): void {
    if (bytes === 0) return
    this.#busyUntilMs = dueMs
    this.#sentBytes = 0
  }

  protected override holdLimitBytes(): number {
    return Math.max(MIN_QUEUE_BYTES, this.#bytesPerMs * QUEUE_MS)
  }

  /** KB = 1000 B, so KB/s are bytes a millisecond. Below 0 is as 0: nothing passes. */
  get #bytesPerMs(): number {
    return Math.max(0, this.attributes.rate)
  }
}

export const bandwidth = defineFault<BandwidthAttributes>({
  type: 'bandwidth',
  layer: 'stream',
  describe: 'Limits a connection to a maximum throughput. At 0 nothing passes until the fault is removed or changed.',
  schema: Schema.Object({
    rate: Schema.Integer({ default: 0, minimum: 0, description: 'Throughput in KB/s, with 1 KB = 1000 bytes.' }),
  }),
  create: (attributes, context) => new BandwidthStage(attributes, context),
})
