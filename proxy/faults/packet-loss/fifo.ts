// A queue whose items can be looked up by their place. Array.shift() is slow on long arrays.

/** How many places at the front may be unused before the array is compacted. */
const SLACK = 64

export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): Item | undefined {
    return this.#items[this.#head]
  }

  get last(): Item | undefined {
    return this.#items[this.#items.length - 1]
  }

  /** The item `place` behind the first. */
  at(place: number): Item | undefined {
    return this.#items[this.#head + place]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head > SLACK && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }
}
