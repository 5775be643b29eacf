import { defineConnectionFault, Schema } from './connection-fault.ts'

export const closeOnAccept = defineConnectionFault({
  type: 'close_on_accept',
  describe: 'Answers new connections with FIN as soon as they are accepted; live ones go on.',
  schema: Schema.Object({}),
  create: () => ({ admit: () => ({ kind: 'close' }) }),
})
