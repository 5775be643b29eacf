import { defineConnectionFault, Schema } from './connection-fault.ts'

export const hangOnAccept = defineConnectionFault({
  type: 'hang_on_accept',
  describe:
    'Accepts new connections and does nothing more: the server is not dialled, nothing is read. They go on when the ' +
    'fault is removed.',
  schema: Schema.Object({}),
  create: () => ({ admit: () => ({ kind: 'hold' }) }),
})
