// Stages that slow the bytes of a head or body down: at a rate, or in pieces evenly over a time.
import { HoldingStage, type Held } from './http-fault.ts'

/** At a rate, a piece is what is sent in this time, so that slow bodies are seen to move. */
const PIECE_MS = 20
/** What is sent in this time is held, then the sender feels it … */
const QUEUE_MS = 100
/** … but at least this much, a small socket buffer. */
const MIN_QUEUE_BYTES = 65_536

/** Every byte takes its time. Bytes that come late have not earned a burst. */
export class RateStage extends HoldingStage<{ readonly rateBytesPerSecond: number }> {
  #busyUntilMs = -Infinity
  #recorded = false

  override write(chunk: Buffer): void {
    if (!this.#recorded) this.context.record('throttle', { rateBytesPerSecond: this.attributes.rateBytesPerSecond })
    this.#recorded = true
    this.hold(chunk)
  }

  protected override dueMs({ item, arrivedMs }: Held): number {
    if (typeof item === 'string') return -Infinity
    return Math.max(this.#busyUntilMs, arrivedMs) + this.pieceBytes(item.length) / this.#bytesPerMs
  }

  protected override pieceBytes(available: number): number {
    return Math.min(available, Math.max(1, Math.floor(this.#bytesPerMs * PIECE_MS)))
  }

  protected override passing(_front: Held, bytes: number, dueMs: number): void {
    if (bytes > 0) this.#busyUntilMs = dueMs
  }

  protected override holdLimitBytes(): number {
    return Math.max(MIN_QUEUE_BYTES, this.#bytesPerMs * QUEUE_MS)
  }

  get #bytesPerMs(): number {
    return this.attributes.rateBytesPerSecond / 1000
  }
}

export interface Spread {
  /** How many there will be; undefined = take the first that come for all. What comes beyond that goes with the last. */
  readonly lengthBytes?: number
  /** Undefined = one for each byte. */
  readonly pieces?: number
  /** From one piece to the next, or from the first byte's arrival to the last piece. */
  readonly time: { readonly gapMs: number } | { readonly durationMs: number }
}

/** Pieces of the same size, each a gap after the one before; the first a gap after the first byte has come. */
export class SpreadStage extends HoldingStage<Spread> {
  #startMs: number | undefined
  #lengthBytes = 0
  #pieces = 1
  #gapMs = 0
  #offset = 0

  override write(chunk: Buffer): void {
    if (this.#startMs === undefined) this.#begin(chunk.length)
    this.hold(chunk)
  }

  protected override dueMs({ item }: Held): number {
    if (typeof item === 'string') return -Infinity
    return (this.#startMs ?? 0) + Math.min(this.#piece + 1, this.#pieces) * this.#gapMs
  }

  protected override pieceBytes(available: number): number {
    const next = this.#piece + 1
    return next > this.#pieces ? available : Math.ceil((next * this.#lengthBytes) / this.#pieces) - this.#offset
  }

  protected override passing(_front: Held, bytes: number): void {
    this.#offset += bytes
  }

  protected override holdLimitBytes(): number {
    return MIN_QUEUE_BYTES
  }

  /** The number of the piece that the front begins with or goes on with, from 0. */
  get #piece(): number {
    return Math.floor((this.#offset * this.#pieces) / this.#lengthBytes)
  }

  #begin(firstBytes: number): void {
    const { lengthBytes = firstBytes, pieces = lengthBytes, time } = this.attributes
    this.#startMs = this.context.clock.now()
    this.#lengthBytes = lengthBytes
    this.#pieces = Math.min(pieces, lengthBytes)
    this.#gapMs = 'gapMs' in time ? time.gapMs : time.durationMs / this.#pieces
    this.context.record('throttle', { pieces: this.#pieces, durationMs: this.#gapMs * this.#pieces })
  }
}
