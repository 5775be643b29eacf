// Which of the messages that match are acted on: after some, every nth, at most so many, counted together or by key.
import { createHash } from 'node:crypto'

export interface SelectionSettings {
  /** Share of what is left after `skip` and `every`, 0 to 1. */
  readonly probability: number
  /** Lets the first so many pass. */
  readonly skip: number
  /** Acts so many times, then never again. */
  readonly times: number | undefined
  /** Acts on every nth. */
  readonly every: number
  /** The name of a header: counts for each of its values by itself, messages without it together. */
  readonly key: string | undefined
}

interface Count {
  seen: number
  acted: number
}

/** Keys that are counted at the same time; the one that was not seen for longest is forgotten first. */
const MAX_KEYS = 10_000

/**
 * Longer keys are kept as digests: a value may be long, and of a string from 13 characters that was cut out of a head V8
 * keeps the whole head in memory.
 */
const MAX_KEY_LENGTH = 12

/** The counts of one fault, over all connections of its proxy. They survive changes of the settings. */
export class Selection {
  readonly #counts = new Map<string, Count>()

  /**
   * Counts one message that matches, and says whether the fault acts on it.
   *
   * @param key the value of the key's header, if there is one
   * @param draw a number in [0, 1), asked for only if the probability is below 1
   */
  select(settings: SelectionSettings, key: string, draw: () => number): boolean {
    const count = this.#count(key)
    count.seen++
    const eligible = count.seen - settings.skip
    if (eligible <= 0 || eligible % settings.every !== 0) return false
    if (settings.times !== undefined && count.acted >= settings.times) return false
    if (settings.probability < 1 && draw() >= settings.probability) return false
    count.acted++
    return true
  }

  /** One that was acted on has turned out not to be: it does not count among `times`. */
  giveBack(key: string): void {
    const count = this.#counts.get(shortened(key))
    if (count && count.acted > 0) count.acted--
  }

  #count(value: string): Count {
    const key = shortened(value)
    const known = this.#counts.get(key)
    if (known && this.#counts.size === 1) return known
    const count = known ?? { seen: 0, acted: 0 }
    // Behind all others: the map's order is that of use.
    this.#counts.delete(key)
    this.#counts.set(key, count)
    if (this.#counts.size > MAX_KEYS) for (const oldest of this.#counts.keys()) return this.#forget(oldest, count)
    return count
  }

  #forget(oldest: string, count: Count): Count {
    this.#counts.delete(oldest)
    return count
  }
}

function shortened(value: string): string {
  return value.length > MAX_KEY_LENGTH ? createHash('sha256').update(value).digest('base64') : value
}
