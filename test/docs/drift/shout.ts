import { defineFault, Schema, Stage } from '../../../proxy/faults/fault.ts'

export interface ShoutAttributes {
  readonly after: number
}

class ShoutStage extends Stage<ShoutAttributes> {
  #passedBytes = 0

  override write(chunk: Buffer): void {
    const quietBytes = Math.min(chunk.length, Math.max(0, this.attributes.after - this.#passedBytes))
    this.#passedBytes += chunk.length
    // A chunk is lent: whoever changes it, or keeps it beyond this call, makes a copy.
    const changed = Buffer.from(chunk)
    changed.write(
      chunk.toString('latin1', quietBytes).replace(/[a-z]/g, (letter) => letter.toUpperCase()),
      quietBytes,
      'latin1',
    )
    if (quietBytes < chunk.length) this.context.record('shout', { bytes: chunk.length - quietBytes })
    this.next.write(changed)
  }
}

/** Everything that a user, a client and the reference need to know of it is in here. */
export const shout = defineFault<ShoutAttributes>({
  type: 'shout',
  layer: 'stream',
  describe: 'Makes capitals of all ASCII letters.',
  schema: Schema.Object({
    after: Schema.Integer({ default: 0, minimum: 0, description: 'Bytes that pass as they are before it begins.' }),
  }),
  create: (attributes, context) => new ShoutStage(attributes, context),
})
