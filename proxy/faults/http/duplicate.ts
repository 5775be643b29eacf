// A request that arrives twice, as a retry somewhere on the way would do it.
import { defineHttpFault, Schema } from './http-fault.ts'

export const httpDuplicate = defineHttpFault({
  type: 'http_duplicate',
  describe: 'Sends a request to the server twice, and drops the second answer: shows whether it is idempotent.',
  schema: Schema.Object({}),
  create: () => ({ phase: 'request', decide: () => ({ kind: 'duplicate' }) }),
})
