// A connection whose other end has lost power: still open here, unknown there, and nobody is told.
import { defineFault, Schema, Stage, type PipeContext, type Signal } from './fault.ts'

/** What never arrived, of both directions of a connection. */
interface Lost {
  bytes: number
  /** Data, or an end. */
  anything: boolean
}

class HalfOpenStage extends Stage<object> {
  readonly #lost: Lost
  #dropping = false

  constructor(attributes: object, context: PipeContext) {
    super(attributes, context)
    this.#lost = context.shared(() => ({ bytes: 0, anything: false }))
  }

  /** One record for each direction, as bytes may come for ever. */
  override write(chunk: Buffer): void {
    if (!this.#dropping) this.context.record('drop')
    this.#dropping = true
    this.#lost.anything = true
    this.#lost.bytes += chunk.length
  }

  override end(): void {
    this.#drop('end')
  }

  override close(): void {
    this.#drop('close')
  }

  override reset(): void {
    this.#drop('reset')
  }

  #drop(signal: Signal): void {
    this.context.record('drop', { signal })
    this.#lost.anything = true
  }

  /** The host is back and does not know the connection: it answers what is sent again by RST (RFC 9293, 3.10.7.1). */
  override remove(): void {
    if (!this.#lost.anything) return
    this.#lost.anything = false // the other direction need not do it again
    this.context.record('reset', { bytes: this.#lost.bytes })
    this.next.reset()
  }
}

export const halfOpen = defineFault({
  type: 'half_open',
  layer: 'stream',
  describe:
    'As when the other end loses power: nothing passes either way, and no end hears of the FIN or RST of the other. ' +
    'When removed, the host is back and does not know the connection: RST to both ends, unless nothing was sent meanwhile.',
  schema: Schema.Object({}),
  undirected: true,
  create: (attributes, context) => new HalfOpenStage(attributes, context),
})
