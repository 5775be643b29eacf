// A clock that jumps to whatever is due next: an hour of simulated network in a second.

/** Implements the Clock of the data plane. */
export class VirtualClock {
  #nowMs = 0
  /** @type {Set<{ dueMs: number, callback: () => void }>} */
  #timers = new Set()

  now() {
    return this.#nowMs
  }

  wallTimeMs() {
    return this.#nowMs
  }

  setTimer(callback, delayMs) {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer) {
    this.#timers.delete(timer)
  }

  get pendingTimers() {
    return this.#timers.size
  }

  /** Jumps to the next timer and runs it. Returns false if there is none before `limitMs`. */
  step(limitMs = Infinity) {
    let next
    for (const timer of this.#timers) {
      if (timer.dueMs <= limitMs && (!next || timer.dueMs < next.dueMs)) next = timer
    }
    if (!next) return false
    this.#timers.delete(next)
    this.#nowMs = next.dueMs
    next.callback()
    return true
  }

  /** Jumps from timer to timer up to `limitMs` while `wanted()` says so. */
  run(wanted, limitMs = Infinity) {
    while (wanted() && this.step(limitMs));
  }
}
