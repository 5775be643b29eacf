// What a sender believes of the segments it has sent: in flight, lost, arrived. Finds losses as RACK does (RFC 8985).
import { Fifo } from './fifo.ts'
import { SentOrder, type Segment } from './segment.ts'

export class Scoreboard {
  /** Segments sent and not acknowledged cumulatively, by offset. */
  readonly #window = new Fifo<Segment>()
  readonly #sentOrder = new SentOrder()
  inFlight = 0
  lost = 0
  /** Arrived behind a gap. */
  selectivelyAcknowledged = 0
  /** Retransmissions that {@link detectLosses} found lost, ever. */
  retransmissionsLost = 0
  /** No segment with a lower number is lost. */
  #lostFrom = 0
  /** Of the segment sent last among those known to have arrived: when it was sent and where it ends. */
  #newestSentMs = -Infinity
  #newestEnd = 0
  /** How long that one took. */
  newestRttMs = 0

  /** Segments not acknowledged cumulatively. */
  get outstanding(): number {
    return this.#window.length
  }

  get first(): Segment | undefined {
    return this.#window.first
  }

  get last(): Segment | undefined {
    return this.#window.last
  }

  /** A segment leaves, for the first time or again. */
  transmit(segment: Segment, nowMs: number): void {
    if (segment.transmissions++ === 0) this.#window.push(segment)
    if (segment.inFlight) this.#sentOrder.remove(segment)
    else this.inFlight++
    if (segment.lost) this.lost--
    segment.lost = false
    segment.inFlight = true
    segment.sentMs = nowMs
    this.#sentOrder.append(segment)
  }

  /** A segment is known to have arrived. */
  deliver(segment: Segment, nowMs: number, minRttMs: number): void {
    this.#leaveFlight(segment)
    if (segment.lost) this.lost--
    segment.lost = false
    segment.delivered = true
    this.selectivelyAcknowledged++
    const rttMs = nowMs - segment.sentMs
    // Faster than the path allows: it was an earlier transmission that arrived.
    if (segment.transmissions > 1 && rttMs < minRttMs) return
    if (!isLater(segment, this.#newestSentMs, this.#newestEnd)) return
    this.#newestSentMs = segment.sentMs
    this.#newestEnd = segment.end
    this.newestRttMs = rttMs
  }

  /** Forgets what ends at or before `cumulative`. All of that has been delivered. True if it was retransmitted. */
  acknowledge(cumulative: number): boolean {
    let retransmitted = false
    for (let first = this.first; first && first.end <= cumulative; first = this.first) {
      this.#window.shift()
      this.selectivelyAcknowledged--
      retransmitted ||= first.transmissions > 1
    }
    return retransmitted
  }

  /**
   * Marks as lost whatever was sent before a segment that has arrived, if that was longer ago than a round trip and
   * `toleranceMs`. Returns in how many milliseconds the next could be lost, 0 if there is none.
   */
  detectLosses(nowMs: number, toleranceMs: number): number {
    for (let segment = this.#sentOrder.first; segment; segment = this.#sentOrder.first) {
      if (isLater(segment, this.#newestSentMs, this.#newestEnd)) return 0
      const remainingMs = segment.sentMs + this.newestRttMs + toleranceMs - nowMs
      if (remainingMs > 0) return remainingMs
      if (segment.transmissions > 1) this.retransmissionsLost++
      this.#markLost(segment)
    }
    return 0
  }

  /** After a timeout: marks the first segment as lost, and what was sent longer ago than a round trip. */
  loseAll(nowMs: number): void {
    const recentMs = nowMs - this.newestRttMs
    for (let place = 0, segment = this.first; segment; segment = this.#window.at(++place)) {
      if (!segment.delivered && !segment.lost && (place === 0 || segment.sentMs <= recentMs)) this.#markLost(segment)
    }
  }

  /** Nothing was lost after all. */
  unmarkLosses(): void {
    for (let place = 0, segment = this.first; segment; segment = this.#window.at(++place)) {
      if (!segment.lost) continue
      segment.lost = false
      segment.inFlight = true
      this.inFlight++
      this.lost--
    }
    this.#rebuildSentOrder()
  }

  /** The lost segment to send first. */
  firstLost(): Segment | undefined {
    const first = this.first
    if (this.lost === 0 || !first) return undefined
    for (let number = Math.max(this.#lostFrom, first.number); ; number++) {
      const segment = this.#window.at(number - first.number)
      if (segment && !segment.lost) continue
      this.#lostFrom = number
      return segment
    }
  }

  #rebuildSentOrder(): void {
    const inFlight: Segment[] = []
    for (let place = 0, segment = this.first; segment; segment = this.#window.at(++place)) {
      if (segment.inFlight) inFlight.push(segment)
    }
    inFlight.sort((a, b) => a.sentMs - b.sentMs || a.end - b.end)
    this.#sentOrder.clear()
    for (const segment of inFlight) this.#sentOrder.append(segment)
  }

  #markLost(segment: Segment): void {
    this.#leaveFlight(segment)
    segment.lost = true
    this.lost++
    this.#lostFrom = Math.min(this.#lostFrom, segment.number)
  }

  #leaveFlight(segment: Segment): void {
    if (!segment.inFlight) return
    segment.inFlight = false
    this.inFlight--
    this.#sentOrder.remove(segment)
  }
}

/** By time of transmission; what left at the same time, by its place in the stream. */
function isLater(segment: Segment, sentMs: number, end: number): boolean {
  return segment.sentMs > sentMs || (segment.sentMs === sentMs && segment.end > end)
}
