import { definePostgresFault, Schema } from './postgres-fault.ts'

/** Cuts a result off. */
export const pgTruncate = definePostgresFault({
  type: 'pg_truncate',
  describe: 'Ends a result after so many rows, or in the middle of the next one, by RST.',
  schema: Schema.Object({
    rows: Schema.Integer({ default: 1, minimum: 0, description: 'So many rows pass.' }),
    partOfRow: Schema.Boolean({ default: false, description: 'Half of the next row passes, too.' }),
  }),
  create({ rows, partOfRow }) {
    const plan = { at: { kind: 'rows', rows, part: partOfRow }, end: 'reset', action: 'truncate' } as const
    return { moment: 'statement', decide: () => ({ kind: 'answer', plan }) }
  },
})
