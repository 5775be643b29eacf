import { defaultError, errorVariant } from '../../protocols/postgres/default-errors.ts'
import { definePostgresFault, invalidField, Schema, type PostgresVerdict, type StartupPoint } from './postgres-fault.ts'
import { codeSchema, resolveCode } from './wanted-error.ts'

const TOO_MANY_CONNECTIONS = '53300'

/** With the default settings the last three slots are for superusers. */
const SLOTS_LEFT = {
  ...errorVariant('reserved_connections'),
  message: 'remaining connection slots are reserved for roles with the SUPERUSER attribute',
}

/** Where servers report what; all else before anything (measured on PostgreSQL 18). */
const USUAL_POINTS: Readonly<Record<string, StartupPoint>> = {
  '28P01': 'password',
  '3D000': 'authenticated',
  '42501': 'authenticated',
  '53300': 'authenticated',
}

/** Lets no client in, or lets it wait at the door. */
export const pgConnectError = definePostgresFault({
  type: 'pg_connect_error',
  describe:
    'Refuses new connections as a server does that is starting up, has no connection left, does not know the password ' +
    'or the database; or leaves them waiting.',
  schema: Schema.Object({
    code: Schema.Optional(codeSchema),
    hang: Schema.Boolean({ default: false, description: 'Nothing comes any more, in place of an error.' }),
    at: Schema.Optional(
      Schema.Union([Schema.Literal('startup'), Schema.Literal('password'), Schema.Literal('authenticated')], {
        description:
          'startup: before anything. password: in place of the word that the password is right. authenticated: right ' +
          'behind it. Default: where servers report this code; with hang startup.',
      }),
    ),
    message: Schema.Optional(Schema.String({ maxLength: 8192, description: 'Default: as the server says it.' })),
  }),
  create({ code: wanted, hang, at, message }, environment) {
    if (hang && wanted !== undefined) throw invalidField(environment.field('code'), 'nothing with hang', wanted)
    if (hang && message !== undefined) throw invalidField(environment.field('message'), 'nothing with hang', message)
    const code = resolveCode(wanted ?? 'cannot_connect_now', environment)
    const point = at ?? (hang ? 'startup' : (USUAL_POINTS[code] ?? 'startup'))
    return {
      moment: 'startup',
      decide({ connection }): PostgresVerdict {
        if (hang) return { kind: 'hang', at: point }
        // Who is let in first hears of the slots that are left; who is not, that there are too many clients.
        const reserved = code === TOO_MANY_CONNECTIONS && point === 'authenticated'
        const usual = reserved ? SLOTS_LEFT : defaultError(code, connection)
        return {
          kind: 'refuse',
          at: point,
          error: { ...usual, severity: 'FATAL', ...(message !== undefined && { message }) },
        }
      },
    }
  },
})
