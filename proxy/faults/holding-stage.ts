// The base of stages that hold bytes back: one FIFO, one timer. When the front may go on is the subclass's to say.
import type { TimerHandle } from '../clock.ts'
import { Stage, type Signal } from './stage.ts'

/** What waits in a {@link HoldingStage}: bytes, or the signal that follows them. */
export interface Held {
  readonly item: Buffer | Signal
  readonly arrivedMs: number
  /** Free for the subclass, e.g. the delay drawn for it. */
  readonly delayMs: number
}

/**
 * Timers fire on whole milliseconds, so the one for a due time of 10.4 fires at 10.0 or 11.0. Up to this much early
 * counts as on time, which halves the median error (measured at 1,000 messages a second).
 */
const EARLY_MS = 0.5

/** Pieces passed on in one turn; the rest waits for the next, so that other connections get theirs. */
const PIECES_PER_TURN = 256

/** What a held chunk costs beside its bytes; counts as held, so that a million one-byte chunks are bounded too. */
const OVERHEAD_BYTES = 256

/** Shared by all stages that hold nothing; frozen, so that a stray write fails instead of reaching another one. */
const NOTHING_HELD = Object.freeze<Held[]>([]) as Held[]

/** What a flush passes on at a time. */
const FLUSH_PIECE_BYTES = 65_536

export abstract class HoldingStage<Attributes> extends Stage<Attributes> {
  /** Made with the first item: most stages of a short connection never hold anything. */
  #queue: Held[] = NOTHING_HELD
  /** Index of the front; the array is compacted now and then, as shift() is slow on long ones. */
  #front = 0
  #heldBytes = 0
  /** Undefined while none is set. */
  #timer: TimerHandle
  #draining = false
  #disposed = false

  /** When the front may go on, on the clock's scale. `-Infinity` = now, `Infinity` = not before something changes. */
  protected abstract dueMs(front: Held): number

  /** How many bytes of the front chunk (of `available`) go on at once; the rest stays the front. At least 1. */
  protected pieceBytes(available: number): number {
    return available
  }

  /** A piece, or with 0 bytes a signal, is about to go on at (or after) its due time. */
  protected passing(_front: Held, _bytes: number, _dueMs: number): void {}

  /** What this stage holds before it is full; never above the pipe's own limit. */
  protected holdLimitBytes(): number {
    return this.context.maxHeldBytes
  }

  override get heldBytes(): number {
    return this.#heldBytes
  }

  override get full(): boolean {
    return this.#heldBytes > 0 && this.#heldBytes >= Math.min(this.holdLimitBytes(), this.context.maxHeldBytes)
  }

  protected get empty(): boolean {
    return this.#front === this.#queue.length
  }

  override write(chunk: Buffer): void {
    this.hold(chunk)
  }

  override end(): void {
    this.hold('end')
  }

  override close(): void {
    this.hold('close')
  }

  override reset(): void {
    this.hold('reset')
  }

  override update(attributes: Attributes): void {
    super.update(attributes)
    this.reschedule()
  }

  override flush(): void {
    this.#cancelTimer()
    const held = this.#queue.slice(this.#front)
    this.#letGo()
    // Joined, as a million one-byte chunks would otherwise be a million writes in one turn.
    let pieces: Buffer[] = []
    let bytes = 0
    const passPieces = (): void => {
      if (bytes > 0) this.next.write(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, bytes))
      pieces = []
      bytes = 0
    }
    for (const { item } of held) {
      if (typeof item === 'string') {
        passPieces()
        this.next[item]()
      } else {
        pieces.push(item)
        bytes += item.length
        if (bytes >= FLUSH_PIECE_BYTES) passPieces()
      }
    }
    passPieces()
  }

  override dispose(): void {
    this.#cancelTimer()
    this.#letGo()
    this.#disposed = true
  }

  #letGo(): void {
    this.#queue = NOTHING_HELD
    this.#front = 0
    this.#heldBytes = 0
  }

  /** Queues an item behind all others, then passes on whatever is due. A chunk that stays is copied. */
  protected hold(item: Buffer | Signal, delayMs = 0): void {
    if (this.#disposed) return // a stage behind has ended the connection while this one was still passing bytes on
    const arrivedMs = this.context.clock.now()
    if (this.#queue === NOTHING_HELD) this.#queue = []
    const length = this.#queue.length
    this.#queue.push({ item, arrivedMs, delayMs })
    const bytes = costBytes(item)
    this.#heldBytes += bytes
    if (length > this.#front || this.#draining) this.#own(length)
    else {
      this.#drain()
      this.#own(this.#queue.length - 1)
    }
    if (this.#heldBytes >= this.context.maxHeldBytes && this.#heldBytes - bytes < this.context.maxHeldBytes) {
      this.context.limitReached()
    }
  }

  /** The due time of the front may have changed: look at it again. */
  protected reschedule(): void {
    this.#cancelTimer()
    if (this.empty || this.#draining) return
    this.#drain()
    this.context.released()
  }

  /** Replaces a lent chunk that stays in the queue by a copy. */
  #own(index: number): void {
    const held = index < this.#front ? undefined : this.#queue[index]
    if (held && typeof held.item !== 'string') this.#queue[index] = { ...held, item: copyOf(held.item) }
  }

  #drain(): void {
    this.#draining = true
    const nowMs = this.context.clock.now()
    let pieces = 0
    let waitMs: number | undefined
    for (let front = this.#queue[this.#front]; front; front = this.#queue[this.#front]) {
      const dueMs = this.dueMs(front)
      if (dueMs > nowMs + EARLY_MS) waitMs = dueMs - nowMs
      else if (pieces++ >= PIECES_PER_TURN) waitMs = 0
      if (waitMs !== undefined) break
      this.#passPiece(front, dueMs)
    }
    this.#draining = false
    this.#compact()
    if (waitMs !== undefined && waitMs !== Infinity) {
      this.#timer = this.context.clock.setTimer(() => this.#wake(), waitMs)
    }
  }

  #passPiece(front: Held, dueMs: number): void {
    const { item } = front
    const available = typeof item === 'string' ? 0 : item.length
    const bytes = typeof item === 'string' ? 0 : Math.min(available, Math.max(1, this.pieceBytes(available)))
    this.passing(front, bytes, dueMs)
    if (typeof item === 'string' || bytes === available) {
      this.#front++
      this.#heldBytes -= costBytes(item)
      this.#pass(item)
    } else {
      this.#queue[this.#front] = { ...front, item: item.subarray(bytes) }
      this.#heldBytes -= bytes
      this.#pass(item.subarray(0, bytes))
    }
  }

  #pass(item: Buffer | Signal): void {
    if (typeof item === 'string') this.next[item]()
    else this.next.write(item)
  }

  #wake(): void {
    this.#timer = undefined
    this.#drain()
    this.context.released()
  }

  #compact(): void {
    if (this.empty) {
      this.#queue = NOTHING_HELD
      this.#front = 0
    } else if (this.#front > 1024) {
      this.#queue.splice(0, this.#front)
      this.#front = 0
    }
  }

  #cancelTimer(): void {
    if (this.#timer === undefined) return
    this.context.clock.clearTimer(this.#timer)
    this.#timer = undefined
  }
}

/** A copy of its own memory: one out of Node's pool of 8 KiB would keep all of that alive for as long as it is held. */
function copyOf(chunk: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length)
  chunk.copy(copy)
  return copy
}

function costBytes(item: Buffer | Signal): number {
  return typeof item === 'string' ? 0 : item.length + OVERHEAD_BYTES
}
