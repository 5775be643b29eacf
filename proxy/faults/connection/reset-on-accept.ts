import { defineConnectionFault, Schema } from './connection-fault.ts'

export const resetOnAccept = defineConnectionFault({
  type: 'reset_on_accept',
  describe: 'Answers new connections with RST as soon as they are accepted; live ones go on.',
  schema: Schema.Object({}),
  create: () => ({ admit: () => ({ kind: 'reset' }) }),
})
