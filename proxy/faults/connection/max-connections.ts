import { defineConnectionFault, Schema, type Admission } from './connection-fault.ts'

export const maxConnections = defineConnectionFault({
  type: 'max_connections',
  describe: 'Beyond so many live connections new ones get RST or FIN, or wait until one has ended.',
  schema: Schema.Object({
    connections: Schema.Integer({ minimum: 0, description: 'Connections that may live at the same time.' }),
    beyond: Schema.Union([Schema.Literal('reset'), Schema.Literal('close'), Schema.Literal('queue')], {
      default: 'reset',
      description: 'What becomes of those beyond: RST, FIN, or wait.',
    }),
  }),
  create: ({ connections, beyond }) => ({
    admit: (live): Admission | undefined => (live < connections ? undefined : { kind: beyond }),
  }),
})
