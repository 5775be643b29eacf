import { MAX_DELAY_MS } from '../../delay.ts'
import { defineConnectionFault, Schema } from './connection-fault.ts'

export const connectDelay = defineConnectionFault({
  type: 'connect_delay',
  describe: 'Dials the server of new connections later; nothing flows before.',
  schema: Schema.Object({
    delayMs: Schema.Integer({ minimum: 0, maximum: MAX_DELAY_MS, description: 'Delay in milliseconds.' }),
  }),
  create: ({ delayMs }) => ({ admit: () => ({ kind: 'delay', delayMs }) }),
})
