// Time, injectable: everything in the data plane that waits asks a Clock, so that tests can move time by hand.

/** A pending timer of a {@link Clock}; only good for handing back to {@link Clock.clearTimer}. */
export type TimerHandle = unknown

export interface Clock {
  /** Monotonic time in milliseconds, with fractions. Its zero is arbitrary. */
  now(): number
  /** The same instant as milliseconds since the Unix epoch, for records that people read. */
  wallTimeMs(): number
  /** Calls back once, `delayMs` from now at the earliest; never synchronously. Any number is allowed. */
  setTimer(callback: () => void, delayMs: number): TimerHandle
  clearTimer(timer: TimerHandle): void
}

/** Node's timers hold 32 bits; a longer wait would fire at once. Callers look at the clock when woken early. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The real clock. Its timers are whole milliseconds: whoever needs better checks `now()` when woken. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTimeMs: () => performance.timeOrigin + performance.now(),
  // Newer Nodes warn of what is negative.
  setTimer: (callback, delayMs) => setTimeout(callback, Math.min(Math.max(delayMs, 0), MAX_TIMER_MS)),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}

interface ManualTimer {
  readonly dueMs: number
  readonly callback: () => void
}

/** A clock that stands still until {@link ManualClock.advance} moves it. */
export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<ManualTimer>()

  now(): number {
    return this.#nowMs
  }

  wallTimeMs(): number {
    return this.#nowMs
  }

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), callback }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer as ManualTimer)
  }

  /** How many timers wait. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Moves time on by `ms` milliseconds and runs every timer due on the way, in order of due time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms
    for (let timer = this.#earliest(endMs); timer; timer = this.#earliest(endMs)) {
      this.#timers.delete(timer)
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
      timer.callback()
    }
    this.#nowMs = endMs
  }

  #earliest(limitMs: number): ManualTimer | undefined {
    let earliest: ManualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= limitMs && (!earliest || timer.dueMs < earliest.dueMs)) earliest = timer
    }
    return earliest
  }
}
