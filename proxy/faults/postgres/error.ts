import { canFail } from '../../protocols/postgres/swap.ts'
import { definePostgresFault, invalidField, Schema, type FailurePoint, type PostgresMoment } from './postgres-fault.ts'
import { codeSchema, resolveCode, wantedError } from './wanted-error.ts'

/** Makes statements fail, with client and server agreeing about what that means for the transaction. */
export const pgError = definePostgresFault({
  type: 'pg_error',
  describe:
    'Makes statements fail with any SQLSTATE. The server itself aborts the transaction, so that client and database ' +
    'agree: nothing of what failed is stored. A FATAL error ends the connection.',
  schema: Schema.Object({
    code: codeSchema,
    at: Schema.Union(
      [
        Schema.Literal('statement'),
        Schema.Literal('parse'),
        Schema.Literal('bind'),
        Schema.Literal('describe'),
        Schema.Literal('commit'),
        Schema.Literal('after'),
        Schema.Literal('rows'),
        Schema.Literal('copy'),
      ],
      {
        default: 'statement',
        description:
          'Where it fails. statement: in place of running. parse, bind, describe: at that message of the extended ' +
          'protocol. commit: when it is committed, explicitly or not. after: when it has run; its effects are undone. ' +
          'rows: after so many rows. copy: during COPY FROM STDIN, after so many bytes.',
      },
    ),
    rows: Schema.Optional(
      Schema.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'With at rows: so many pass. Default 1.' }),
    ),
    bytes: Schema.Optional(
      Schema.Integer({ minimum: 0, description: 'With at copy: so many bytes of data are taken. Default 0.' }),
    ),
    message: Schema.Optional(Schema.String({ maxLength: 8192, description: 'Default: as the server says it.' })),
    detail: Schema.Optional(Schema.String({ maxLength: 8192, description: 'DETAIL of the error. Empty: none.' })),
    hint: Schema.Optional(Schema.String({ maxLength: 8192, description: 'HINT of the error. Empty: none.' })),
    position: Schema.Optional(Schema.Integer({ minimum: 1, description: 'Where in the query, in characters from 1.' })),
    where: Schema.Optional(Schema.String({ maxLength: 8192, description: 'CONTEXT of the error. Empty: none.' })),
    schema: Schema.Optional(Schema.String({ maxLength: 8192, description: 'The schema it is about.' })),
    table: Schema.Optional(Schema.String({ maxLength: 8192, description: 'The table it is about.' })),
    column: Schema.Optional(Schema.String({ maxLength: 8192, description: 'The column it is about.' })),
    dataType: Schema.Optional(Schema.String({ maxLength: 8192, description: 'The type it is about.' })),
    constraint: Schema.Optional(Schema.String({ maxLength: 8192, description: 'The constraint it is about.' })),
    routine: Schema.Optional(
      Schema.String({
        maxLength: 8192,
        description: "The function in the server's source, by which some drivers decide whether to try again.",
      }),
    ),
  }),
  create({ code, at, rows, bytes, ...details }, environment) {
    if (rows !== undefined && at !== 'rows')
      throw invalidField(environment.field('rows'), 'nothing without at: rows', rows)
    if (bytes !== undefined && at !== 'copy') {
      throw invalidField(environment.field('bytes'), 'nothing without at: copy', bytes)
    }
    const error = wantedError(resolveCode(code, environment), details)
    const moment: PostgresMoment = at === 'parse' || at === 'bind' || at === 'describe' ? at : 'statement'
    const point = pointOf(at, rows ?? 1, bytes ?? 0)
    return {
      moment,
      applies: (event) => (moment === 'statement' ? canFail(point, event) : event.transaction !== 'failed'),
      decide: () => ({ kind: 'fail', error, point }),
    }
  },
})

function pointOf(at: string, rows: number, bytes: number): FailurePoint {
  switch (at) {
    case 'commit':
    case 'after':
      return { at }
    case 'rows':
      return { at, rows }
    case 'copy':
      return { at, bytes }
    default:
      return { at: 'instead' }
  }
}
