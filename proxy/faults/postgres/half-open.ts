import { definePostgresFault, Schema } from './postgres-fault.ts'

/** Answers stop, the connection stays. */
export const pgHalfOpen = definePostgresFault({
  type: 'pg_half_open',
  describe:
    'From this statement on no answers come, while the connection stays: the server has run it and keeps its locks. What ' +
    'is held passes when the fault is removed.',
  schema: Schema.Object({}),
  create() {
    const plan = { at: { kind: 'start' }, end: 'hold', action: 'hold' } as const
    return { moment: 'statement', decide: () => ({ kind: 'answer', plan }) }
  },
})
