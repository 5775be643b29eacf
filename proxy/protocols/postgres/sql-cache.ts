// Keeps what was made of texts that come again and again, within bounds.

interface Generation<Value> {
  readonly values: Map<string, Value>
  characters: number
}

/**
 * A cache by text in two generations: what is used moves to the young one; when that is full, the old one goes and the
 * young one takes its place. So it is roughly the least recently used that goes, for the price of one look-up in a map:
 * a list in order of use takes two writes for each.
 */
export class TextCache<Value> {
  readonly #maxEntries: number
  readonly #maxCharacters: number
  #young: Generation<Value> = { values: new Map(), characters: 0 }
  #old: Generation<Value> = { values: new Map(), characters: 0 }

  /** @param maxCharacters of all texts together, in UTF-16 units */
  constructor(maxEntries: number, maxCharacters: number) {
    this.#maxEntries = maxEntries
    this.#maxCharacters = maxCharacters
  }

  get(text: string): Value | undefined {
    const value = this.#young.values.get(text)
    if (value !== undefined) return value
    const old = this.#old.values.get(text)
    if (old === undefined) return undefined
    this.#old.values.delete(text)
    this.#old.characters -= text.length
    this.#add(text, old)
    return old
  }

  /** The text must not be in the cache. */
  set(text: string, value: Value): void {
    this.#add(text, value)
  }

  get entries(): number {
    return this.#young.values.size + this.#old.values.size
  }

  get characters(): number {
    return this.#young.characters + this.#old.characters
  }

  #add(text: string, value: Value): void {
    const { values, characters } = this.#young
    const isFull = values.size >= this.#maxEntries / 2 || characters + text.length > this.#maxCharacters / 2
    if (isFull) {
      this.#old = this.#young
      this.#young = { values: new Map(), characters: 0 }
    }
    this.#young.values.set(text, value)
    this.#young.characters += text.length
  }
}
