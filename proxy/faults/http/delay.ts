// A request or an answer that comes late.
import { checkDelay, delayFields, drawDelayMs } from '../../delay.ts'
import { phaseField } from './fields.ts'
import { defineHttpFault, PASS, Schema } from './http-fault.ts'

export const httpDelay = defineHttpFault({
  type: 'http_delay',
  describe:
    'Delays a message as a whole: a request before it goes to the server, or an answer before its head goes out.',
  schema: Schema.Object({
    phase: phaseField('request', 'Whether the server gets the request late, or the client the answer.'),
    ...delayFields,
  }),
  create(attributes, environment) {
    checkDelay(attributes, environment)
    return {
      phase: attributes.phase,
      decide(message, context) {
        const delayMs = drawDelayMs(attributes, context, message.number)
        return delayMs > 0 ? { kind: 'delay', delayMs } : PASS
      },
    }
  },
})
