// Events that get lost on the way, whole. Comments pass: a stream whose events are lost is still kept alive.
import { Schema, Stage, type StageContext } from '../http/http-fault.ts'
import { EventPiece, EventWalker } from './event-walker.ts'
import { defineSseFault } from './sse-fault.ts'

export interface SseDropAttributes {
  readonly afterEvents: number
  readonly count: number
}

/** Lines before the first with data are kept until that comes; a block in which it comes later than this passes. */
const MAX_KEPT_BYTES = 65_536

class SseDropStage extends Stage<SseDropAttributes> {
  readonly #walker = new EventWalker()
  /** Events that have come, and those of them that have been dropped. */
  #events = 0
  #dropped = 0
  /** What becomes of the block: it is `open` until it turns out to be an event. */
  #fate: 'open' | 'pass' | 'drop' = 'pass'
  #inBlock = false
  #droppedBytes = 0
  /** An open block, as far as it has come. */
  #kept: Buffer[] = []
  #keptBytes = 0

  override get heldBytes(): number {
    return this.#keptBytes
  }

  override write(chunk: Buffer): void {
    const walker = this.#walker
    /** Where the bytes begin that pass and have not been written yet. */
    let from = 0
    let at = 0
    const passUpTo = (to: number): void => {
      if (to > from) this.next.write(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
      from = to
    }
    for (;;) {
      const to = walker.next(chunk, at)
      if (walker.piece === EventPiece.none) break
      if (walker.piece !== EventPiece.lineFeed) this.#decide()
      if (this.#fate !== 'pass') {
        passUpTo(at)
        from = to
        if (this.#fate === 'open') this.#keep(chunk.subarray(at, to))
        else this.#droppedBytes += to - at
      }
      if (walker.piece === EventPiece.blockEnd) this.#endBlock()
      at = to
    }
    passUpTo(at)
  }

  override end(): void {
    this.flush()
    if (this.#inBlock && this.#fate === 'drop') this.#endBlock()
    super.end()
  }

  override close(): void {
    this.flush()
    super.close()
  }

  /** An event of which a part has been dropped stays incomplete. */
  override flush(): void {
    const kept = this.#kept
    this.#forget()
    if (kept.length > 0) this.next.write(Buffer.concat(kept))
    if (this.#fate === 'open') this.#fate = 'pass'
  }

  override dispose(): void {
    this.#forget()
  }

  /** Called for each piece of a block. */
  #decide(): void {
    const { afterEvents, count } = this.attributes
    if (!this.#inBlock) {
      this.#inBlock = true
      const drops = this.#events >= afterEvents && (count === 0 || this.#dropped < count)
      this.#fate = drops ? 'open' : 'pass'
    }
    if (this.#fate !== 'open') return
    if (this.#walker.hasData) {
      this.#fate = 'drop'
      this.#droppedBytes = this.#keptBytes
      this.#forget()
    } else if (this.#walker.piece === EventPiece.blockEnd || this.#keptBytes > MAX_KEPT_BYTES) this.flush()
  }

  #endBlock(): void {
    this.#inBlock = false
    if (!this.#walker.hasData) return
    this.#events++
    if (this.#fate !== 'drop') return
    this.#dropped++
    this.context.record('drop', { event: this.#events, bytes: this.#droppedBytes })
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(Buffer.from(bytes))
    this.#keptBytes += bytes.length
  }

  #forget(): void {
    this.#kept = []
    this.#keptBytes = 0
  }
}

export const sseDrop = defineSseFault<SseDropAttributes>({
  type: 'sse_drop',
  describe:
    'Drops `count` server-sent events of an answer behind the first afterEvents. Comments pass, and so do compressed ' +
    'answers.',
  schema: Schema.Object({
    afterEvents: Schema.Integer({ default: 0, minimum: 0, description: 'Events that pass before.' }),
    count: Schema.Integer({ default: 0, minimum: 0, description: 'Events that are dropped; 0 = all that follow.' }),
  }),
  resized: true,
  create: (attributes, context: StageContext) => new SseDropStage(attributes, context),
})
