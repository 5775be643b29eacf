// The receiving half of a simulated TCP: puts segments in order and decides when to acknowledge them.
import { Fifo } from './fifo.ts'
import type { Segment } from './segment.ts'
import { wheelDueMs } from './timer-wheel.ts'

/** How long an acknowledgement may wait for data to go along with (TCP_DELACK_MIN). */
const DELAYED_ACK_MS = 40
/** At first, after a long silence and after something has arrived twice, so many are not delayed (TCP_MAX_QUICKACKS). */
const QUICK_ACKS = 16

/** What a packet tells the other end about the stream that comes from there. */
export interface Acknowledgement {
  /** All before this offset has arrived. */
  readonly cumulative: number
  /** How many segments had arrived: stands for the blocks of SACK (RFC 2018), see {@link Receiver.arrivals}. */
  readonly arrivals: number
  /** The timestamp echoed (RFC 7323), as the time in milliseconds at which that packet was sent. */
  readonly echoMs: number
  /** Something has arrived twice (D-SACK, RFC 2883). */
  readonly duplicate: boolean
}

export class Receiver {
  /** Segments in the order in which they arrived, for the sender to take out as it learns of them. */
  readonly arrivals = new Fifo<Segment>()
  /** All before this offset has arrived. */
  nextOffset: number
  /** When the delayed acknowledgement is due; `Infinity` without one. */
  timerDueMs = Infinity
  /** Segments behind a gap, by offset. */
  readonly #outOfOrder = new Map<number, Segment>()
  #arrivalCount = 0
  #echoMs: number
  #lastAcknowledged: number
  #unacknowledgedSegments = 0
  #duplicate = false
  /** How many acknowledgements go out at once, unless the traffic is question and answer. */
  #quickAcks = QUICK_ACKS
  /** Whether the application answers what it gets (Linux: pingpong): then the answer is worth waiting for. */
  #interactive = false
  #lastArrivalMs = -Infinity
  readonly #acknowledge: () => void

  /**
   * @param offset where the stream begins
   * @param acknowledge sends a packet now; it takes along what {@link Receiver.acknowledgement} says
   */
  constructor(offset: number, nowMs: number, acknowledge: () => void) {
    this.nextOffset = this.#lastAcknowledged = offset
    this.#echoMs = nowMs
    this.#acknowledge = acknowledge
  }

  /** @param rtoMs the retransmission timeout of the sender at this end: longer than that is a long silence */
  arrive(segment: Segment, sentMs: number, nowMs: number, rtoMs: number): void {
    // RFC 7323, 4.3: the segment that spans the last acknowledgement. With delayed ones that is the earliest.
    if (segment.offset <= this.#lastAcknowledged && segment.end >= this.#lastAcknowledged) this.#echoMs = sentMs
    if (nowMs - this.#lastArrivalMs > rtoMs) this.#quickAcks = QUICK_ACKS
    this.#lastArrivalMs = nowMs
    if (segment.arrived) {
      this.#duplicate = true
      this.#quickAcks = QUICK_ACKS
      this.#interactive = false
      return this.#acknowledge()
    }
    segment.arrived = true
    this.#arrivalCount++
    this.arrivals.push(segment)
    if (segment.offset !== this.nextOffset) {
      this.#outOfOrder.set(segment.offset, segment)
      return this.#acknowledge()
    }
    const behindGap = this.#outOfOrder.size > 0
    this.#advance(segment)
    this.#unacknowledgedSegments++
    const quick = this.#quickAcks > 0 && !this.#interactive
    // RFC 5681, 4.2: at once for every second segment, and while a gap is filled.
    if (behindGap || quick || this.#unacknowledgedSegments >= 2) this.#acknowledge()
    else if (this.timerDueMs === Infinity) this.timerDueMs = wheelDueMs(nowMs, DELAYED_ACK_MS)
  }

  timerDue(): void {
    this.timerDueMs = Infinity
    this.#interactive = false
    this.#acknowledge()
  }

  /** The application here sends something of its own. */
  answering(nowMs: number): void {
    if (nowMs - this.#lastArrivalMs < DELAYED_ACK_MS) this.#interactive = true
  }

  /** What a packet that leaves now tells the other end. A delayed acknowledgement is settled by it. */
  acknowledgement(): Acknowledgement {
    this.timerDueMs = Infinity
    this.#unacknowledgedSegments = 0
    this.#lastAcknowledged = this.nextOffset
    if (this.#quickAcks > 0) this.#quickAcks--
    const duplicate = this.#duplicate
    this.#duplicate = false
    return { cumulative: this.nextOffset, arrivals: this.#arrivalCount, echoMs: this.#echoMs, duplicate }
  }

  #advance(segment: Segment): void {
    this.nextOffset = segment.end
    while (this.#outOfOrder.size > 0) {
      const next = this.#outOfOrder.get(this.nextOffset)
      if (!next) return
      this.#outOfOrder.delete(this.nextOffset)
      this.nextOffset = next.end
    }
  }
}
