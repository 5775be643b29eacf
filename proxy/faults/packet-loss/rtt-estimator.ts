// How long a sender waits for an acknowledgement before it takes a segment for lost.

/** The longest timeout, after any number of doublings (TCP_RTO_MAX; RFC 6298, 2.5 allows such a bound). */
const MAX_RTO_MS = 120_000

/**
 * The smoothed round trip and the timeout that follows from it: RFC 6298 as Linux computes it (tcp_rtt_estimator),
 * which differs from the letter: the variation has a floor of the minimal timeout, rises at once and falls once a
 * round trip, and faster answers raise it only a little.
 */
export class RttEstimator {
  srttMs: number
  /** The least round trip seen. */
  minRttMs: number
  /** Four times the mean deviation. */
  #deviationMs: number
  #maxDeviationMs: number
  #variationMs: number
  /** The round over which the largest deviation is taken ends when this offset is acknowledged. */
  #roundEnd = 0
  #rtoMs: number
  rtoMinMs: number

  /** @param rttMs the first sample, from the handshake */
  constructor(rttMs: number, rtoMinMs: number) {
    this.srttMs = rttMs
    this.minRttMs = rttMs
    this.rtoMinMs = rtoMinMs
    this.#deviationMs = 2 * rttMs
    this.#maxDeviationMs = this.#variationMs = Math.max(this.#deviationMs, rtoMinMs)
    this.#rtoMs = this.#estimate()
  }

  get rtoMs(): number {
    return this.#rtoMs
  }

  /** Exponential backoff, until the next sample (RFC 6298, 5.5). */
  backOff(): void {
    this.#rtoMs = Math.min(MAX_RTO_MS, this.#rtoMs * 2)
  }

  /**
   * @param acknowledged the offset up to which all is acknowledged
   * @param sent the offset up to which all has been sent
   */
  sample(rttMs: number, acknowledged: number, sent: number): void {
    this.minRttMs = Math.min(this.minRttMs, rttMs)
    const error = rttMs - this.srttMs
    this.srttMs += error / 8
    const excess = Math.abs(error) - this.#deviationMs / 4
    this.#deviationMs += error < 0 && excess > 0 ? excess / 8 : excess
    if (this.#deviationMs > this.#maxDeviationMs) {
      this.#maxDeviationMs = this.#deviationMs
      this.#variationMs = Math.max(this.#variationMs, this.#maxDeviationMs)
    }
    if (acknowledged > this.#roundEnd) {
      if (this.#maxDeviationMs < this.#variationMs) this.#variationMs -= (this.#variationMs - this.#maxDeviationMs) / 4
      this.#roundEnd = sent
      this.#maxDeviationMs = this.rtoMinMs
    }
    this.#rtoMs = this.#estimate()
  }

  #estimate(): number {
    return Math.min(MAX_RTO_MS, this.srttMs + this.#variationMs)
  }
}
