// How many segments a sender may have in flight: slow start, congestion avoidance, reduction after a loss, and undo.
import type { CongestionAlgorithm } from './attributes.ts'
import { Cubic, reno, type Growth } from './cubic.ts'

/** RFC 6928. */
const INITIAL_SEGMENTS = 10
/** The window never grows beyond: a bound of memory. */
const MAX_SEGMENTS = 4096

export class CongestionWindow {
  /** Undefined without congestion control. */
  readonly #growth: Growth | undefined
  #segments = INITIAL_SEGMENTS
  #threshold = Infinity
  /** Acknowledged segments that have not yet raised the window. */
  #credit = 0
  /** What it was before a loss, for the reduction in proportion and for undo. */
  #prior = 0
  #priorThreshold = Infinity
  #deliveredInRecovery = 0
  #sentInRecovery = 0

  constructor(algorithm: CongestionAlgorithm) {
    if (algorithm === 'none') this.#segments = MAX_SEGMENTS
    else this.#growth = algorithm === 'cubic' ? new Cubic() : reno
  }

  get segments(): number {
    return this.#segments
  }

  get slowStart(): boolean {
    return this.#segments < this.#threshold
  }

  /** Segments have been acknowledged while the window was in full use. */
  grow(acknowledged: number, nowMs: number, minRttMs: number): void {
    if (!this.#growth) return
    let left = acknowledged
    if (this.slowStart) {
      const grown = Math.min(this.#segments + left, this.#threshold)
      left -= grown - this.#segments
      this.#segments = Math.min(grown, MAX_SEGMENTS)
      if (left === 0) return
    }
    const needed = this.#growth.segmentsPerIncrement(this.#segments, left, nowMs, minRttMs)
    if (this.#credit >= needed) {
      this.#credit = 0
      this.#segments++
    }
    this.#credit += left
    const increments = Math.floor(this.#credit / needed)
    this.#credit -= increments * needed
    this.#segments = Math.min(this.#segments + increments, MAX_SEGMENTS)
  }

  /** Remembers the present state for {@link undo}: the first trouble after all was well. */
  remember(): void {
    this.#priorThreshold = Math.max(this.#threshold, (this.#segments * 3) >> 2)
  }

  /** A loss was found: the window shrinks step by step while its segments are acknowledged. */
  beginReduction(): void {
    if (!this.#growth) return
    this.#prior = this.#segments
    this.#credit = 0
    this.#deliveredInRecovery = this.#sentInRecovery = 0
    this.#threshold = this.#growth.reduced(this.#segments)
  }

  sentWhileReducing(): void {
    this.#sentInRecovery++
  }

  /**
   * Proportional rate reduction (RFC 6937, with Linux's choice between its two bounds).
   *
   * @param safe the acknowledgement made progress and showed no further loss
   */
  reduce(delivered: number, inFlight: number, safe: boolean): void {
    if (!this.#growth || delivered === 0) return
    this.#deliveredInRecovery += delivered
    const room = this.#threshold - inFlight
    let send: number
    if (room < 0) {
      send = Math.ceil((this.#threshold * this.#deliveredInRecovery) / this.#prior) - this.#sentInRecovery
    } else {
      send = Math.max(this.#deliveredInRecovery - this.#sentInRecovery, delivered) + (safe ? 1 : 0)
      send = Math.min(room, send)
    }
    // The first retransmission is sent at once.
    this.#segments = inFlight + Math.max(send, this.#sentInRecovery > 0 ? 0 : 1)
  }

  endReduction(): void {
    if (this.#growth && this.#threshold < Infinity) this.#segments = this.#threshold
  }

  /** The retransmission timer fired. @param first whether this begins an episode of loss */
  collapse(inFlight: number, first: boolean): void {
    if (!this.#growth) return
    if (first) {
      this.#prior = this.#segments
      this.#threshold = this.#growth.reduced(this.#segments)
    }
    this.#growth.forget()
    this.#segments = inFlight + 1
    this.#credit = 0
  }

  /** Nothing was sent for a while: what the network holds is no longer known (RFC 2861, Linux's cwnd restart). */
  restartAfterIdle(idleMs: number, rtoMs: number): void {
    this.#growth?.idle(idleMs)
    if (!this.#growth || idleMs <= rtoMs) return
    this.remember()
    this.#threshold = this.#priorThreshold
    for (let leftMs = idleMs - rtoMs; leftMs > 0 && this.#segments > INITIAL_SEGMENTS; leftMs -= rtoMs) {
      this.#segments = Math.max(INITIAL_SEGMENTS, this.#segments >> 1)
    }
  }

  /** Nothing was lost after all. */
  undo(): void {
    if (!this.#growth) return
    this.#segments = Math.max(this.#segments, this.#prior)
    this.#threshold = Math.max(this.#threshold, this.#priorThreshold)
  }
}
