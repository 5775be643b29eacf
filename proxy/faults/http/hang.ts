// A request that is never answered.
import { phaseField } from './fields.ts'
import { defineHttpFault, Schema } from './http-fault.ts'

export const httpHang = defineHttpFault({
  type: 'http_hang',
  describe: 'Takes the request and answers never. Removed, it lets everything go on as if nothing had been.',
  schema: Schema.Object({
    phase: phaseField('request', 'request: the server does not get it. response: it does, but its answer is held.'),
  }),
  create: ({ phase }) => ({ phase, decide: () => ({ kind: 'hold' }) }),
})
