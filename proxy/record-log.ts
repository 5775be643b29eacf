// A bounded record of the latest things that happened, with subscribers. Numbers have no gaps and never start again.

export interface Recorded {
  /** Counts up from 1 through the whole network, without gaps. */
  readonly sequence: number
}

export type RecordListener<Entry> = (entry: Entry) => void

export class RecordLog<Entry extends Recorded> {
  readonly capacity: number
  readonly #ring: Entry[] = []
  #sequence = 0
  readonly #listeners = new Set<RecordListener<Entry>>()
  /** Waiting to be told to listeners. */
  readonly #untold: Entry[] = []

  /** @param capacity how many entries are kept; older ones are forgotten */
  constructor(capacity: number) {
    this.capacity = capacity
  }

  append(content: Omit<Entry, 'sequence'>): void {
    const entry = { sequence: ++this.#sequence, ...content } as Entry
    this.#ring[(entry.sequence - 1) % this.capacity] = entry
    if (this.#listeners.size > 0) this.#tell(entry)
  }

  /** All entries ever recorded, also those that the ring has forgotten. */
  get total(): number {
    return this.#sequence
  }

  /** Kept entries that pass, oldest first: those with a sequence above `since`, at most `limit`, the latest ones. */
  protected select(passes: (entry: Entry) => boolean, since = 0, limit = this.capacity): Entry[] {
    const found: Entry[] = []
    const oldest = Math.max(since, this.#sequence - this.capacity)
    for (let sequence = this.#sequence; sequence > oldest && found.length < limit; sequence--) {
      const entry = this.#ring[(sequence - 1) % this.capacity]
      if (!entry) break
      if (passes(entry)) found.push(entry)
    }
    return found.toReversed()
  }

  /**
   * Calls back for each entry, in order, right after the turn in which it was made: a listener may change faults,
   * which must not happen while bytes are on their way through them. Returns the way to stop that.
   */
  subscribe(listener: RecordListener<Entry>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(entry: Entry): void {
    if (this.#untold.push(entry) > 1) return
    queueMicrotask(() => {
      for (const untold of this.#untold.splice(0)) for (const listener of this.#listeners) notify(listener, untold)
    })
  }
}

/** A listener that throws must not keep others from being told: it fails on its own. */
function notify<Entry>(listener: RecordListener<Entry>, entry: Entry): void {
  try {
    listener(entry)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
