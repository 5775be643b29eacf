import { checkDelay, drawDelayMs, MAX_DELAY_MS } from '../../delay.ts'
import { definePostgresFault, invalidField, Schema, type PostgresEvent } from './postgres-fault.ts'

/** Slows statements down: before the server has them, inside the server, or row by row. */
export const pgDelay = definePostgresFault({
  type: 'pg_delay',
  describe:
    'Delays statements: before they go to the server, inside the server (so that its ' +
    'timeouts fire), between rows of a result, or before a COMMIT.',
  schema: Schema.Object({
    at: Schema.Union(
      [Schema.Literal('before'), Schema.Literal('server'), Schema.Literal('rows'), Schema.Literal('commit')],
      {
        default: 'before',
        description:
          'before: the statement reaches the server later. server: the server sleeps first. rows: rows of the result ' +
          'come later. commit: as before, of a COMMIT only.',
      },
    ),
    everyRows: Schema.Optional(
      Schema.Integer({ minimum: 1, description: 'With at rows: before each so many rows. Default 1.' }),
    ),
    delayMs: Schema.Integer({
      minimum: 0,
      maximum: MAX_DELAY_MS,
      description: 'Delay in milliseconds; see distribution.',
    }),
    jitterMs: Schema.Integer({
      default: 0,
      minimum: 0,
      maximum: MAX_DELAY_MS,
      description: 'With uniform and normal: how far delays spread, in milliseconds.',
    }),
    distribution: Schema.Union(
      [Schema.Literal('uniform'), Schema.Literal('normal'), Schema.Literal('lognormal'), Schema.Literal('pareto')],
      { default: 'uniform', description: 'How delays spread around delayMs.' },
    ),
    sigma: Schema.Number({ default: 0.5, minimum: 0, maximum: 10, description: 'With lognormal: how far.' }),
    shape: Schema.Number({
      default: 3,
      minimum: 0.1,
      maximum: 100,
      description: 'With pareto: how heavy the tail is.',
    }),
  }),
  create(attributes, environment) {
    const { at, everyRows } = attributes
    checkDelay(attributes, environment)
    if (everyRows !== undefined && at !== 'rows') {
      throw invalidField(environment.field('everyRows'), 'nothing without at: rows', everyRows)
    }
    return {
      moment: 'statement',
      applies: (event) => canDelay(at, event),
      decide(event, context) {
        if (at === 'rows') {
          const delayMs = (row: number): number => drawDelayMs(attributes, context, event.number * ROWS + row)
          return { kind: 'pace', everyRows: everyRows ?? 1, delayMs }
        }
        const delayMs = drawDelayMs(attributes, context, event.number)
        return { kind: 'delay', delayMs, inServer: at === 'server' }
      },
    }
  },
})

/** Draws for the rows of one statement come before those of the next. */
const ROWS = 2 ** 24

function canDelay(at: string, { via, sql, transaction }: PostgresEvent): boolean | string {
  if (at === 'commit') return sql?.kind === 'commit'
  if (at !== 'server') return true
  if (via === 'function') return 'the server can not be made to sleep before a function call'
  // A statement before it would not let it choose how its transaction is to be.
  if (sql?.kind === 'begin' || sql?.kind === 'set') return `the server can not be made to sleep before ${sql.kind}`
  return transaction !== 'failed'
}
