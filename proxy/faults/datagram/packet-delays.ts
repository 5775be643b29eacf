// Packets that wait, each until a time of its own: what is due first goes first.
import { Deadline } from '../deadline.ts'
import type { DatagramContext } from './datagram-fault.ts'

/** Timers fire on whole milliseconds: up to this much early counts as on time, which halves the median error. */
export const EARLY_MS = 0.5

/** What a held packet costs beside its bytes; counts as held, so that a million empty packets are bounded, too. */
export const OVERHEAD_BYTES = 256

interface Delayed {
  readonly packet: Buffer
  dueMs: number
  /** Among those due at the same time, the first to arrive goes first. */
  readonly order: number
}

/** A binary heap and one timer. */
export class PacketDelays {
  readonly #context: DatagramContext
  readonly #pass: (packet: Buffer) => void
  readonly #deadline: Deadline
  readonly #heap: Delayed[] = []
  #arrived = 0
  #heldBytes = 0

  constructor(context: DatagramContext, pass: (packet: Buffer) => void) {
    this.#context = context
    this.#pass = pass
    this.#deadline = new Deadline(context.clock, () => this.#wake())
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get empty(): boolean {
    return this.#heap.length === 0
  }

  /** Whether one more packet may wait; if not, it is to be dropped, and that is counted. */
  takes(packet: Buffer): boolean {
    if (this.#heldBytes + packet.length + OVERHEAD_BYTES <= this.#context.maxHeldBytes) return true
    this.#context.limitReached()
    return false
  }

  /** @param dueMs on the clock's scale */
  add(packet: Buffer, dueMs: number): void {
    this.#heldBytes += packet.length + OVERHEAD_BYTES
    const delayed = { packet, dueMs, order: ++this.#arrived }
    this.#heap.push(delayed)
    this.#rise(delayed, this.#heap.length - 1)
    if (this.#heap[0] === delayed) this.#deadline.set(dueMs - EARLY_MS)
  }

  /** None waits longer than until then. */
  hurry(dueMs: number): void {
    // A bound for all does not change which goes before which.
    for (const delayed of this.#heap) delayed.dueMs = Math.min(delayed.dueMs, dueMs)
    this.#setDeadline()
  }

  /** Passes on everything, in the order in which it would have been due. */
  flush(): void {
    this.#deadline.clear()
    this.#passUntil(Infinity)
  }

  dispose(): void {
    this.#deadline.clear()
    this.#heap.length = 0
    this.#heldBytes = 0
  }

  #wake(): void {
    this.#passUntil(this.#context.clock.now() + EARLY_MS)
    this.#setDeadline()
  }

  #setDeadline(): void {
    const [first] = this.#heap
    if (first) this.#deadline.set(first.dueMs - EARLY_MS)
  }

  #passUntil(timeMs: number): void {
    for (let first = this.#heap[0]; first && first.dueMs <= timeMs; first = this.#heap[0]) {
      this.#removeFirst()
      this.#heldBytes -= first.packet.length + OVERHEAD_BYTES
      this.#pass(first.packet)
    }
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last && this.#heap.length > 0) this.#sink(last)
  }

  /** Moves one that is to be at `index` up to its place. */
  #rise(delayed: Delayed, index: number): void {
    let place = index
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#heap[above]
      if (!parent || goesBefore(parent, delayed)) break
      this.#heap[place] = parent
      place = above
    }
    this.#heap[place] = delayed
  }

  /** Moves one that is to be the first down to its place. */
  #sink(delayed: Delayed): void {
    let place = 0
    for (;;) {
      const left = 2 * place + 1
      const [one, other] = [this.#heap[left], this.#heap[left + 1]]
      if (!one) break
      const useOther = other !== undefined && goesBefore(other, one)
      const child = useOther ? other : one
      if (goesBefore(delayed, child)) break
      this.#heap[place] = child
      place = useOther ? left + 1 : left
    }
    this.#heap[place] = delayed
  }
}

function goesBefore(one: Delayed, other: Delayed): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order)
}
