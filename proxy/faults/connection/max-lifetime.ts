import { defineConnectionFault, Schema } from './connection-fault.ts'

export const maxLifetime = defineConnectionFault({
  type: 'max_lifetime',
  describe: 'Ends connections so long after they were accepted.',
  schema: Schema.Object({
    lifetimeMs: Schema.Integer({ minimum: 1, maximum: 86_400_000, description: 'In milliseconds.' }),
    how: Schema.Union([Schema.Literal('close'), Schema.Literal('reset')], {
      default: 'close',
      description: 'FIN or RST, to both ends.',
    }),
  }),
  create: ({ lifetimeMs, how }) => ({ limit: { afterMs: lifetimeMs, idle: false, how } }),
})
