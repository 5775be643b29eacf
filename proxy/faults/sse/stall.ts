// A stream of events that stops, and goes on later as if nothing had happened.
import { HoldingStage, Schema, type StageContext } from '../http/http-fault.ts'
import { EventPiece, EventWalker } from './event-walker.ts'
import { defineSseFault } from './sse-fault.ts'

export interface SseStallAttributes {
  readonly afterEvents: number
  readonly durationMs: number
}

class SseStallStage extends HoldingStage<SseStallAttributes> {
  readonly #walker = new EventWalker()
  #events = 0
  /** Since when something has been kept; undefined before. */
  #sinceMs: number | undefined

  override write(chunk: Buffer): void {
    const from = this.#sinceMs === undefined ? this.#passEvents(chunk) : 0
    if (from < chunk.length) this.#keep(from === 0 ? chunk : chunk.subarray(from))
  }

  /** The end of the stream is kept like an event. */
  override end(): void {
    if (this.#events >= this.attributes.afterEvents) this.#begin()
    super.end()
  }

  protected override dueMs(): number {
    if (this.#sinceMs === undefined) return -Infinity
    const { durationMs } = this.attributes
    return durationMs === 0 ? Infinity : this.#sinceMs + durationMs
  }

  /** Passes on what may pass; returns where it ends. */
  #passEvents(chunk: Buffer): number {
    const walker = this.#walker
    let at = 0
    while (this.#events < this.attributes.afterEvents) {
      at = walker.next(chunk, at)
      if (walker.piece === EventPiece.none) break
      if (walker.piece === EventPiece.blockEnd && walker.hasData) this.#events++
    }
    // The LF of a CRLF that has been cut belongs to the event before.
    if (at === 0 && this.#events > 0 && this.#events >= this.attributes.afterEvents) {
      const to = walker.next(chunk, 0)
      if (walker.piece === EventPiece.lineFeed) at = to
    }
    if (at > 0) this.next.write(at === chunk.length ? chunk : chunk.subarray(0, at))
    return at
  }

  #keep(bytes: Buffer): void {
    this.#begin()
    this.hold(bytes)
  }

  #begin(): void {
    if (this.#sinceMs !== undefined) return
    this.#sinceMs = this.context.clock.now()
    this.context.record('stall', { afterEvents: this.#events })
  }
}

export const sseStall = defineSseFault<SseStallAttributes>({
  type: 'sse_stall',
  describe:
    'Keeps what comes behind the first afterEvents server-sent events of an answer; passes it on after durationMs or ' +
    'when removed, nothing lost. Not on compressed answers.',
  schema: Schema.Object({
    afterEvents: Schema.Integer({ default: 0, minimum: 0, description: 'Events that pass before.' }),
    durationMs: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Time in milliseconds from the first byte that is kept; 0 = until the fault is removed.',
    }),
  }),
  resized: false,
  create: (attributes, context: StageContext) => new SseStallStage(attributes, context),
})
