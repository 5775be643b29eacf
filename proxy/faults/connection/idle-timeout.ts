import { defineConnectionFault, Schema } from './connection-fault.ts'

export const idleTimeout = defineConnectionFault({
  type: 'idle_timeout',
  describe:
    'Ends connections on which no byte has come for so long, in either direction, as firewalls and balancers do.',
  schema: Schema.Object({
    idleMs: Schema.Integer({ minimum: 1, maximum: 86_400_000, description: 'In milliseconds.' }),
    how: Schema.Union([Schema.Literal('close'), Schema.Literal('reset')], {
      default: 'close',
      description: 'FIN or RST, to both ends.',
    }),
  }),
  create: ({ idleMs, how }) => ({ limit: { afterMs: idleMs, idle: true, how } }),
})
