// One moment at which something is to happen, which can be moved.
import type { Clock, TimerHandle } from '../clock.ts'

export class Deadline {
  readonly #clock: Clock
  readonly #callback: () => void
  #dueMs = Infinity
  #timer: TimerHandle

  constructor(clock: Clock, callback: () => void) {
    this.#clock = clock
    this.#callback = callback
  }

  /** Sets or moves it, on the clock's scale; `Infinity` = never. */
  set(dueMs: number): void {
    this.clear()
    this.#dueMs = dueMs
    if (dueMs === Infinity) return
    this.#timer = this.#clock.setTimer(() => this.#wake(), dueMs - this.#clock.now())
  }

  clear(): void {
    this.#clock.clearTimer(this.#timer)
  }

  /** The clock may wake early (whole milliseconds, long waits), so look at it again. */
  #wake(): void {
    if (this.#clock.now() >= this.#dueMs) this.#callback()
    else this.set(this.#dueMs)
  }
}
