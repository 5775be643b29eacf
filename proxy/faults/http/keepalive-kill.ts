// A server that closes an idle connection just as the client uses it again.
import { endField, endSignal } from './fields.ts'
import { defineHttpFault, Schema } from './http-fault.ts'

export const httpKeepaliveKill = defineHttpFault({
  type: 'http_keepalive_kill',
  describe:
    'Ends a connection that has been idle, just as its next request arrives, which the server does not get. The first ' +
    'request of a connection passes, and so do requests that are sent while others are still being answered.',
  schema: Schema.Object({ mode: endField('fin') }),
  create: ({ mode }) => ({
    phase: 'request',
    applies: ({ number, outstanding }) => number > 1 && outstanding === 0,
    decide: () => ({ kind: endSignal(mode) }),
  }),
})
