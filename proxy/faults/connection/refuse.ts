import { defineConnectionFault, Schema } from './connection-fault.ts'

export const refuse = defineConnectionFault({
  type: 'refuse',
  describe: 'Closes the listener: new connections are refused by the kernel (ECONNREFUSED); live ones go on.',
  schema: Schema.Object({}),
  create: () => ({ refuses: true }),
})
