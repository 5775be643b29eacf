// How fast a window grows once it is beyond slow start: CUBIC, as Linux has it, and Reno.

/** What tells two congestion controls apart. Windows are in segments. */
export interface Growth {
  /** A loss was seen: the window to go on with. */
  reduced(window: number): number
  /** How many more segments have to be acknowledged before the window grows by one. */
  segmentsPerIncrement(window: number, acknowledged: number, nowMs: number, minRttMs: number): number
  /** A timeout: what was learned of the path is void. */
  forget(): void
  /** Nothing was sent for so long; that time does not count. */
  idle(idleMs: number): void
}

/** RFC 5681, 3.1 and 3.2: half after a loss, one segment more a round trip. */
export const reno: Growth = {
  reduced: (window) => Math.max(2, window >> 1),
  segmentsPerIncrement: (window) => window,
  forget: () => {},
  idle: () => {},
}

/** RFC 9438, 4.6: what is left of the window after a loss; Linux: 717 / 1024. */
const BETA = 717 / 1024
/** RFC 9438, 5.1: how steep the cubic is, in segments per second cubed; Linux: 410 / 1024. */
const STEEPNESS = 410 / 1024
/** RFC 9438, 4.3: segments a round trip by which a Reno with this beta would grow; Linux rounds its inverse so. */
const RENO_SEGMENTS_PER_INCREMENT = 15 / 8
/** Never faster than one segment for two acknowledged ones. */
const LEAST_PER_INCREMENT = 2
/** Without a known maximum: at least 5 % a round trip. */
const MOST_PER_INCREMENT_UNKNOWN = 20

/** How long a computed growth is good for, while the window stays the same. */
const RECOMPUTE_MS = 1000 / 32

/**
 * CUBIC (RFC 9438; Linux, net/ipv4/tcp_cubic.c, without HyStart, which a link of constant delay does not trigger).
 * Windows are whole segments, as there: below the origin that makes it noticeably faster than the formula.
 */
export class Cubic implements Growth {
  #windowMaximum = 0
  /** Undefined until the first growth after a loss. */
  #epochMs: number | undefined
  #origin = 0
  /** Seconds from the epoch to where the cubic meets its origin. */
  #secondsToOrigin = 0
  #renoWindow = 0
  #renoCredit = 0
  #segments = LEAST_PER_INCREMENT
  #computedMs = -Infinity
  #computedWindow = 0

  reduced(window: number): number {
    this.#epochMs = undefined
    // Fast convergence (RFC 9438, 4.7): a flow that lost before it was back at its maximum leaves room to others.
    this.#windowMaximum = window < this.#windowMaximum ? Math.floor((window * (1 + BETA)) / 2) : window
    return Math.max(2, Math.floor(window * BETA))
  }

  forget(): void {
    this.#epochMs = undefined
    this.#windowMaximum = 0
    this.#computedMs = -Infinity
  }

  idle(idleMs: number): void {
    if (this.#epochMs !== undefined) this.#epochMs += idleMs
  }

  segmentsPerIncrement(window: number, acknowledged: number, nowMs: number, minRttMs: number): number {
    this.#renoCredit += acknowledged
    if (window === this.#computedWindow && nowMs - this.#computedMs <= RECOMPUTE_MS) return this.#segments
    this.#computedWindow = window
    this.#computedMs = nowMs
    const epochMs = this.#epochMs ?? this.#beginEpoch(window, acknowledged, nowMs)
    const seconds = (nowMs - epochMs + minRttMs) / 1000 - this.#secondsToOrigin
    const distance = Math.floor(STEEPNESS * Math.abs(seconds) ** 3)
    const target = this.#origin + (seconds < 0 ? -distance : distance)
    let segments = target > window ? Math.floor(window / (target - window)) : 100 * window
    if (this.#windowMaximum === 0) segments = Math.min(segments, MOST_PER_INCREMENT_UNKNOWN)
    this.#segments = Math.max(LEAST_PER_INCREMENT, Math.min(segments, this.#renoFloor(window)))
    return this.#segments
  }

  #beginEpoch(window: number, acknowledged: number, nowMs: number): number {
    this.#epochMs = nowMs
    this.#renoWindow = window
    this.#renoCredit = acknowledged
    this.#origin = Math.max(window, this.#windowMaximum)
    this.#secondsToOrigin = Math.cbrt((this.#origin - window) / STEEPNESS)
    return nowMs
  }

  /** Not slower than Reno would be (RFC 9438, 4.3). */
  #renoFloor(window: number): number {
    const segments = Math.max(1, Math.floor(window * RENO_SEGMENTS_PER_INCREMENT))
    while (this.#renoCredit > segments) {
      this.#renoCredit -= segments
      this.#renoWindow++
    }
    return this.#renoWindow > window ? Math.floor(window / (this.#renoWindow - window)) : Infinity
  }
}
