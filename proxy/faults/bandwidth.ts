// Limits throughput the way a slow line does: every byte takes its time, and what is queued is bounded.
import { defineFault, Schema, HoldingStage, type Direction, type Held, type PipeContext } from './fault.ts'

export interface BandwidthAttributes {
  readonly rate: number
  readonly scope?: 'connection' | 'proxy'
  readonly burst?: number
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

/** Whoever sends over a {@link Line}. */
interface Sender {
  /** The line is free for this sender's next piece. */
  turn(): void
}

/**
 * What sends pieces one after the other: a line of a connection's own, or one that the connections of a proxy share.
 *
 * Those who wait for a shared one take turns of the same number of bytes, whatever the size of their pieces: what one
 * sends beyond it is taken off its next turn (deficit round robin: M. Shreedhar, G. Varghese, 1995).
 */
class Line {
  #bytesPerMs = 0
  #burstBytes = 0
  /** Until when the line is busy with what has already been passed on. */
  #busyUntilMs = -Infinity
  /** Since when the line has been sending the present piece, and what it had sent of it under earlier rates. */
  #startMs = 0
  #sentBytes = 0
  /** Whose piece it is sending. */
  #sending: Sender | undefined
  /** Who has something to send, in order of their turns, and how many bytes each may still send in its turn. */
  readonly #turns = new Map<Sender, number>()
  #passingTurns = false

  constructor(attributes: BandwidthAttributes) {
    this.#set(attributes)
  }

  /**
   * What the old rate has sent of the present piece stays sent, so that a rate that changes all the time does not stop
   * the line. Bytes that waited through a rate of 0 have not earned a burst.
   */
  change(attributes: BandwidthAttributes, nowMs: number): void {
    if (this.#sending && this.#bytesPerMs > 0) this.#sentBytes += Math.max(0, nowMs - this.#startMs) * this.#bytesPerMs
    this.#startMs = nowMs
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs)
    this.#set(attributes)
  }

  #set(attributes: BandwidthAttributes): void {
    this.#bytesPerMs = bytesPerMs(attributes)
    this.#burstBytes = Math.max(0, attributes.burst ?? 0)
  }

  /** When a piece that arrived then will have been sent; never, as long as others are to send before. */
  dueMs(sender: Sender, pieceBytes: number, arrivedMs: number): number {
    this.#wait(sender)
    if (this.#sending !== sender || this.#bytesPerMs === 0) return Infinity
    // A line that was idle sends as if it had begun earlier, by as long as its burst takes: a token bucket.
    this.#startMs = Math.max(this.#busyUntilMs, arrivedMs - this.#burstBytes / this.#bytesPerMs)
    return this.#startMs + Math.max(0, pieceBytes - this.#sentBytes) / this.#bytesPerMs
  }

  /** @param more whether the sender has more to send */
  sent(sender: Sender, pieceBytes: number, dueMs: number, more: boolean): void {
    this.#busyUntilMs = dueMs
    this.#sentBytes = 0
    const leftBytes = (this.#turns.get(sender) ?? 0) - pieceBytes
    if (!more || leftBytes <= 0) this.#turns.delete(sender) // what is set again is the last in order
    if (more) this.#turns.set(sender, leftBytes > 0 ? leftBytes : leftBytes + largestPiece(this.#bytesPerMs))
    this.#passTurn(sender)
  }

  /** The sender has nothing to send any more; what was under way of its piece has cost the line no time. */
  leave(sender: Sender): void {
    this.#turns.delete(sender)
    if (this.#sending !== sender) return
    this.#sentBytes = 0
    this.#passTurn(sender)
  }

  #wait(sender: Sender): void {
    if (!this.#turns.has(sender)) this.#turns.set(sender, largestPiece(this.#bytesPerMs))
    this.#sending ??= sender
  }

  /** In a loop, as whoever is told may send at once and pass the turn on: nested, a thousand would fill the stack. */
  #passTurn(from: Sender): void {
    this.#sending = this.#turns.keys().next().value
    if (this.#passingTurns) return
    this.#passingTurns = true
    try {
      for (let last = from; this.#sending && this.#sending !== last;) {
        last = this.#sending
        last.turn()
      }
    } finally {
      this.#passingTurns = false
    }
  }
}

/** The lines that connections share. All stages of a fault are given the same attributes, and no other fault's are. */
const sharedLines: Readonly<Record<Direction, WeakMap<BandwidthAttributes, Line>>> = {
  upstream: new WeakMap(),
  downstream: new WeakMap(),
}

/** @param present the line that is to go on, if there is none that others already share */
function lineOf(attributes: BandwidthAttributes, direction: Direction, present?: Line): Line {
  if (attributes.scope !== 'proxy') return present ?? new Line(attributes)
  const line = sharedLines[direction].get(attributes) ?? present ?? new Line(attributes)
  sharedLines[direction].set(attributes, line)
  return line
}

/** KB = 1000 B, so KB/s are bytes a millisecond. Below 0 is as 0: nothing passes. */
function bytesPerMs({ rate }: BandwidthAttributes): number {
  return Math.max(0, rate)
}

/** What a line of this rate passes on at once. */
function largestPiece(rate: number): number {
  const packet = Math.min(PACKET_BYTES, rate * SLOW_PIECE_MS)
  return Math.max(1, Math.floor(Math.max(packet, rate * FAST_PIECE_MS)))
}

class BandwidthStage extends HoldingStage<BandwidthAttributes> implements Sender {
  readonly #direction: Direction
  #line: Line
  #offset = 0
  /** What waits, without the signal behind it. */
  #waitingBytes = 0

  constructor(attributes: BandwidthAttributes, context: PipeContext) {
    super(attributes, context)
    this.#direction = context.direction
    this.#line = lineOf(attributes, context.direction)
  }

  override write(chunk: Buffer): void {
    if (chunk.length === 0) return
    const idle = this.empty
    this.#waitingBytes += chunk.length
    this.hold(chunk)
    // One record for each time that the line starts to hold bytes back.
    if (idle && !this.empty) this.context.record('throttle', { rate: this.attributes.rate, offset: this.#offset })
    this.#offset += chunk.length
  }

  override update(attributes: BandwidthAttributes): void {
    const goesOn = (attributes.scope === 'proxy') === (this.attributes.scope === 'proxy')
    const line = lineOf(attributes, this.#direction, goesOn ? this.#line : undefined)
    if (line !== this.#line) this.#line.leave(this)
    this.#line = line
    line.change(attributes, this.context.clock.now())
    super.update(attributes)
  }

  turn(): void {
    this.reschedule()
  }

  override flush(): void {
    super.flush()
    this.#leave()
  }

  override dispose(): void {
    super.dispose()
    this.#leave()
  }

  #leave(): void {
    this.#waitingBytes = 0
    this.#line.leave(this)
  }

  protected override dueMs(front: Held): number {
    if (typeof front.item === 'string') return -Infinity
    return this.#line.dueMs(this, this.pieceBytes(front.item.length), front.arrivedMs)
  }

  protected override pieceBytes(available: number): number {
    return Math.min(available, largestPiece(bytesPerMs(this.attributes)))
  }

  protected override passing(_front: Held, bytes: number, dueMs: number): void {
    if (bytes === 0) return
    this.#waitingBytes -= bytes
    this.#line.sent(this, bytes, dueMs, this.#waitingBytes > 0)
  }

  protected override holdLimitBytes(): number {
    return Math.max(MIN_QUEUE_BYTES, bytesPerMs(this.attributes) * QUEUE_MS)
  }
}

export const bandwidth = defineFault<BandwidthAttributes>({
  type: 'bandwidth',
  layer: 'stream',
  describe:
    'Limits a connection, or all of a proxy together, to a maximum throughput. At 0 nothing passes until the fault is ' +
    'removed or changed.',
  schema: Schema.Object({
    rate: Schema.Integer({ default: 0, minimum: 0, description: 'Throughput in KB/s, with 1 KB = 1000 bytes.' }),
    // Without defaults: clients of Toxiproxy's API are shown what they have given.
    scope: Schema.Optional(
      Schema.Union([Schema.Literal('connection'), Schema.Literal('proxy')], {
        description:
          'connection: each has the rate for itself. proxy: all together have it, and those that send at a time get ' +
          'the same share. Default connection.',
      }),
    ),
    burst: Schema.Optional(
      Schema.Integer({
        minimum: 0,
        description: 'Bytes that pass at once after a pause long enough for the rate to send as many. Default 0.',
      }),
    ),
  }),
  create: (attributes, context) => new BandwidthStage(attributes, context),
})
