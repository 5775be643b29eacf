import { defaultError } from '../../protocols/postgres/default-errors.ts'
import { canFail } from '../../protocols/postgres/swap.ts'
import {
  definePostgresFault,
  invalidField,
  Schema,
  type PostgresEvent,
  type PostgresVerdict,
} from './postgres-fault.ts'
import { codeSchema, resolveCode } from './wanted-error.ts'

const CRASH = '57P02'
const IDLE_IN_TRANSACTION = '25P03'
const IDLE_SESSION = '57P05'
const CODES = ['57P01', CRASH, IDLE_IN_TRANSACTION, IDLE_SESSION]

/** Ends connections as a server does that is shut down, has crashed, or has waited too long for the client. */
export const pgTerminate = definePostgresFault({
  type: 'pg_terminate',
  describe:
    'Ends connections the way servers do: with the message of a shutdown, a crash or an idle timeout, then FIN; while ' +
    'the connection is idle, when a statement comes, or in the middle of its result.',
  schema: Schema.Object({
    code: Schema.Union([codeSchema], {
      default: 'admin_shutdown',
      description:
        'admin_shutdown (57P01), crash_shutdown (57P02), idle_in_transaction_session_timeout (25P03), ' +
        'idle_session_timeout (57P05).',
    }),
    when: Schema.Union([Schema.Literal('idle'), Schema.Literal('query'), Schema.Literal('result')], {
      default: 'query',
      description: 'While nothing is asked; when a statement has come; after so many rows of its result.',
    }),
    afterMs: Schema.Optional(
      Schema.Integer({ minimum: 0, maximum: 3_600_000, description: 'With idle: idle for so long. Default 0.' }),
    ),
    rows: Schema.Optional(Schema.Integer({ minimum: 1, description: 'With result: so many pass. Default 1.' })),
    outcome: Schema.Optional(
      Schema.Union([Schema.Literal('rolled_back'), Schema.Literal('may_commit')], {
        description:
          'With query and result. rolled_back: the statement has no effect. may_commit: the server has it, and runs it ' +
          'to its end. Default rolled_back.',
      }),
    ),
  }),
  create({ code: wanted, when, afterMs, rows, outcome }, environment) {
    const code = resolveCode(wanted, environment)
    if (!CODES.includes(code)) throw invalidField(environment.field('code'), `one of ${CODES.join(', ')}`, wanted)
    const idleOnly = code === IDLE_IN_TRANSACTION || code === IDLE_SESSION
    if (idleOnly && when !== 'idle') throw invalidField(environment.field('when'), `idle, as with ${code}`, when)
    for (const [name, value, needs] of [
      ['afterMs', afterMs, when === 'idle' ? '' : 'when: idle'],
      ['rows', rows, when === 'result' ? '' : 'when: result'],
      ['outcome', outcome, when === 'idle' ? 'when: query or result' : ''],
    ] as const) {
      if (value !== undefined && needs !== '') {
        throw invalidField(environment.field(name), `nothing without ${needs}`, value)
      }
    }
    const error = defaultError(code)
    const notice = code === CRASH
    if (when === 'idle') {
      return {
        moment: 'idle',
        afterMs: afterMs ?? 0,
        applies: ({ transaction }) => !idleOnly || (transaction === 'idle') === (code === IDLE_SESSION),
        decide: () => ({ kind: 'end', error, notice, send: false }),
      }
    }
    const mayCommit = outcome === 'may_commit'
    const point = when === 'query' ? ({ at: 'instead' } as const) : ({ at: 'rows', rows: rows ?? 1 } as const)
    const fatal = { ...error, severity: 'FATAL' } as const
    return {
      moment: 'statement',
      applies: (event) => (mayCommit ? true : canEnd(canFail(point, event), event)),
      decide(): PostgresVerdict {
        if (!mayCommit) return { kind: 'fail', error: fatal, point, notice }
        if (when === 'query') return { kind: 'end', error, notice, send: true }
        const at = { kind: 'rows', rows: rows ?? 1, part: false } as const
        return { kind: 'answer', plan: { at, end: { error, notice }, action: 'terminate' } }
      },
    }
  },
})

/** Connections can also be ended in a failed transaction, if not by a statement that fails once more. */
function canEnd(can: boolean | string, { transaction }: PostgresEvent): boolean | string {
  return transaction === 'failed' ? 'in a failed transaction there is nothing left to roll back' : can
}
