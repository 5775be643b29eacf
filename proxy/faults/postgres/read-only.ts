import { definePostgresFault, Schema } from './postgres-fault.ts'

/** The server has become a replica. */
export const pgReadOnly = definePostgresFault({
  type: 'pg_read_only',
  describe:
    'Makes connections read-only, as after a failover to a replica: writes get a real 25006, and clients that look for ' +
    'a primary (target_session_attrs) see it. Open connections turn with their next transaction, and turn back when the ' +
    'fault is removed.',
  schema: Schema.Object({}),
  create() {
    return {
      moment: 'ready',
      once: true,
      decide: () => ({
        kind: 'run',
        sql: 'SET default_transaction_read_only = on',
        undo: 'RESET default_transaction_read_only',
        action: 'read_only',
      }),
    }
  },
})
