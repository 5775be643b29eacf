// A body that ends too early.
import { checkCut, cutFields, cutStage } from './cut.ts'
import { endField, endSignal, hasBody } from './fields.ts'
import { defineHttpFault, Schema } from './http-fault.ts'

export const httpTruncate = defineHttpFault({
  type: 'http_truncate',
  describe:
    "Ends an answer's body early and closes the connection: shorter than its Content-Length says, or without the last " +
    'chunk. Answers without a body pass.',
  schema: Schema.Object({ mode: endField('fin'), ...cutFields }),
  create(attributes, environment) {
    checkCut(attributes, environment)
    const signal = endSignal(attributes.mode)
    return {
      phase: 'response',
      applies: hasBody,
      decide: (message) => ({ kind: 'stages', body: cutStage(attributes, message, signal, 'truncate') }),
    }
  },
})
