import { definePostgresFault, Schema, type PostgresEvent, type PostgresVerdict } from './postgres-fault.ts'

/** The connection dies around a commit, so that the client can't know whether it happened. */
export const pgCommitLost = definePostgresFault({
  type: 'pg_commit_lost',
  describe:
    'Kills the connection by RST around a commit. before: the server never gets it, nothing is stored. after: the ' +
    'server has committed, the client never hears of it. By default of COMMIT; with a match of other statements also of ' +
    'those that commit by themselves.',
  schema: Schema.Object({
    when: Schema.Union([Schema.Literal('before'), Schema.Literal('after')], {
      default: 'after',
      description: 'Before the server has it, or after it has committed.',
    }),
  }),
  match: { statement: 'commit' },
  create({ when }) {
    return {
      moment: 'statement',
      applies: commits,
      decide(): PostgresVerdict {
        if (when === 'before') return { kind: 'reset' }
        return { kind: 'answer', plan: { at: { kind: 'ready' }, end: 'reset', action: 'commit_lost' } }
      },
    }
  },
})

/** A COMMIT of an open transaction, or a statement outside of one. */
function commits({ sql, transaction }: PostgresEvent): boolean {
  return sql?.kind === 'commit' ? transaction === 'open' : transaction === 'idle' && sql?.kind !== 'begin'
}
