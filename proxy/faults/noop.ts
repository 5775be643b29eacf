// Does nothing: for trying out names, toxicity and removal.
import { defineFault, Schema, Stage } from './fault.ts'

class NoopStage extends Stage<object> {}

export const noop = defineFault({
  type: 'noop',
  layer: 'stream',
  describe: 'Passes everything on unchanged.',
  schema: Schema.Object({}),
  create: (attributes, context) => new NoopStage(attributes, context),
})
