import { definePostgresFault, Schema } from './postgres-fault.ts'

/** Each transaction may get another connection to the server. */
export const pgPooler = definePostgresFault({
  type: 'pg_pooler',
  describe:
    'Behaves as a transaction pooler that hands out another server connection after each transaction: prepared ' +
    'statements are gone (26000), SET, LISTEN, temporary tables and advisory locks do not last. With probability, every ' +
    'and times only after some.',
  schema: Schema.Object({}),
  create() {
    return {
      moment: 'ready',
      serialize: true,
      decide: () => ({ kind: 'run', sql: 'DISCARD ALL', action: 'switch_connection' }),
    }
  },
})
