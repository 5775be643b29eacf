// The latest entries of one part of the feed.

interface Numbered {
  readonly sequence: number
}

/** Entries come in the order of their sequences, which have gaps here: the other parts have the rest. */
export class Ring<Entry extends Numbered> {
  readonly capacity: number
  readonly #entries: Entry[] = []
  #total = 0
  #forgottenSequence = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  append(entry: Entry): void {
    const index = this.#total++ % this.capacity
    const forgotten = this.#entries[index]
    if (forgotten) this.#forgottenSequence = forgotten.sequence
    this.#entries[index] = entry
  }

  /** How many entries with a sequence above this one have been forgotten, at most; 0 = none. */
  missedAfter(sequence: number): number {
    return Math.min(Math.max(0, this.#forgottenSequence - sequence), Math.max(0, this.#total - this.capacity))
  }

  /** The latest entries with a sequence above this one that pass, at most so many, oldest first. */
  latest(since: number, limit: number, passes: (entry: Entry) => boolean): Entry[] {
    const found: Entry[] = []
    for (let index = this.#total - 1; index >= this.#oldest && found.length < limit; index--) {
      const entry = this.#at(index)
      if (entry.sequence <= since) break
      if (passes(entry)) found.push(entry)
    }
    return found.toReversed()
  }

  /** The first entries with a sequence above this one that pass, at most so many, oldest first. */
  next(since: number, limit: number, passes: (entry: Entry) => boolean): Entry[] {
    const found: Entry[] = []
    for (let index = this.#firstAfter(since); index < this.#total && found.length < limit; index++) {
      const entry = this.#at(index)
      if (passes(entry)) found.push(entry)
    }
    return found
  }

  get #oldest(): number {
    return Math.max(0, this.#total - this.capacity)
  }

  #at(index: number): Entry {
    return this.#entries[index % this.capacity] as Entry
  }

  /** By halves. */
  #firstAfter(sequence: number): number {
    let low = this.#oldest
    let high = this.#total
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#at(middle).sequence <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}
