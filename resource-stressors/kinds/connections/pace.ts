// When a connection may be tried: a rate, and a limit to trying again, lest a server that refuses is asked without end.

/** Tokens that were not used are kept for so long. */
const KEPT_SECONDS = 0.2

export class Pace {
  readonly #perSecond: number
  readonly #retriesPerTick: number
  #tokens = 0
  #retries = 0
  #tickedMs = performance.now()

  /** @param perSecond null = as fast as it goes */
  constructor(perSecond: number | null, retriesPerTick: number) {
    this.#perSecond = perSecond ?? Infinity
    this.#retriesPerTick = retriesPerTick
    this.#tokens = perSecond === null ? Infinity : 1
  }

  /** Ten times a second. */
  tick(): void {
    const nowMs = performance.now()
    const due = ((nowMs - this.#tickedMs) / 1000) * this.#perSecond
    this.#tickedMs = nowMs
    this.#tokens = Math.min(this.#tokens + due, Math.max(1, this.#perSecond * KEPT_SECONDS))
    this.#retries = this.#retriesPerTick
  }

  /** Whether one may be tried now, for the first time or again; if so, it counts. */
  take(attempt: 'first' | 'again'): boolean {
    if (this.#tokens < 1 || (attempt === 'again' && this.#retries < 1)) return false
    this.#tokens--
    if (attempt === 'again') this.#retries--
    return true
  }
}
