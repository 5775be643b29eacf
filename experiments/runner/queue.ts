// Lets a few experiments run at a time; others wait for their turn.
import { unlessAborted } from './waiting.ts'

const DEFAULT_LIMIT = 3

export class RunQueue {
  readonly #limit: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  /** @param limit default 3 */
  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Works when it is its turn. @throws the signal's reason if it aborts while this waits, and whatever the work throws */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted()
    if (this.#running >= this.#limit) await this.#turn(signal)
    else this.#running++
    try {
      return await work()
    } finally {
      this.#passOn()
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = resolvable()
    this.#waiting.push(resolve)
    try {
      await unlessAborted(promise, signal)
    } catch (error) {
      const index = this.#waiting.indexOf(resolve)
      if (index >= 0) this.#waiting.splice(index, 1)
      else this.#passOn() // it was its turn in that very moment
      throw error
    }
  }

  /** Whoever is next takes the place that is free now. */
  #passOn(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#running--
  }
}

function resolvable(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: (() => void) | undefined
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve: () => resolve?.() }
}

/** Of this process: what nobody gives another queue waits in this one. */
export const commonQueue = new RunQueue()
