// When the next operation is due: what the disk has withheld is made up for.

/** No more than what would have been due in this time, lest a disk that hung is flooded when it is back. */
const MAX_DEBT_SECONDS = 1

export class Pace {
  #dueOperations: number
  #lastMs: number

  /**
   * @param nowMs by a clock that goes on evenly
   * @param head the share of the first operation that is due at once, 0 to 1: workers are to act in turns
   */
  constructor(nowMs: number, head: number) {
    this.#lastMs = nowMs
    this.#dueOperations = head
  }

  /**
   * Counts what has become due since the last call, and one operation less if one is due.
   *
   * @returns in how many milliseconds the next one is; 0 = now, it has to be done
   */
  next(nowMs: number, operationsPerSecond: number): number {
    const newlyDue = ((nowMs - this.#lastMs) / 1000) * operationsPerSecond
    const mostDue = Math.max(1, operationsPerSecond * MAX_DEBT_SECONDS)
    this.#dueOperations = Math.min(this.#dueOperations + newlyDue, mostDue)
    this.#lastMs = nowMs
    if (this.#dueOperations < 1) return ((1 - this.#dueOperations) / operationsPerSecond) * 1000
    this.#dueOperations--
    return 0
  }
}
