// Asynchronous actions that must not overlap.

/** Runs actions one after the other, in the order in which they were given. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves or rejects as the action does; a failed action does not stop those behind it. */
  run<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(action)
    this.#last = result.catch(() => undefined)
    return result
  }
}
