// The whole error for a code that somebody wants to see: in the server's own words, with what is known filled in.
import type { PgErrorFields, PgSeverity } from './error-fields.ts'
import { errorVariants, usualErrors, type ErrorTemplate } from './genuine-errors.ts'
import { resolveSqlState } from './sqlstate.ts'

/** What errors speak of. Those that are not known get names that could be real. */
export interface ErrorNames {
  readonly user?: string
  readonly database?: string
  readonly applicationName?: string
  /** Without its schema. */
  readonly table?: string
  /** As command tags have it, e.g. `INSERT`. */
  readonly command?: string
  /** Of a prepared statement. */
  readonly prepared?: string
  /** Of a portal or cursor. */
  readonly portal?: string
}

/** One of several errors with the same code. */
export type ErrorVariant = keyof typeof errorVariants

const usualOf = new Map(usualErrors.map((template) => [template.code, template]))

const placeholders: Readonly<Record<string, string>> = {
  user: 'app',
  database: 'app',
  table: 'accounts',
  command: 'UPDATE',
  prepared: 'S_1',
  portal: 'C_1',
}

/**
 * What PostgreSQL 18 says when it reports this code, in its most usual case: severity, message, detail, hint and the
 * place in its source. Without `position`: that depends on the query. For codes that it has no usual words for, the
 * message is the name of the condition.
 *
 * 57P02 is a WARNING, to be sent as a notice before the connection is closed.
 *
 * @param code SQLSTATE, e.g. `40001`
 *
 * ```ts
 * defaultError('28P01', { user: 'ann' }).message // password authentication failed for user "ann"
 * defaultError('22034').message // more than one sql json item
 * ```
 */
export function defaultError(code: string, names: ErrorNames = {}): PgErrorFields {
  const template = usualOf.get(code)
  if (template) return fill(template, names)
  const condition = resolveSqlState(code)?.condition ?? 'unknown error'
  return { severity: severityOf(code), code, message: condition.replaceAll('_', ' ') }
}

/**
 * Another error of a code that has several, e.g. `statement_timeout` for 57014, which by default is a cancel request.
 *
 * ```ts
 * errorVariant('read_write_dependencies').code // 40001
 * ```
 */
export function errorVariant(variant: ErrorVariant, names: ErrorNames = {}): PgErrorFields {
  return fill(errorVariants[variant], names)
}

/** Who is refused or shut out gets no further. Classes 00 to 02 are no errors. */
function severityOf(code: string): PgSeverity {
  if (/^(?:28|08001|08004)/.test(code)) return 'FATAL'
  return /^0[012]/.test(code) ? 'WARNING' : 'ERROR'
}

function fill({ origin, ...template }: ErrorTemplate, names: ErrorNames): PgErrorFields {
  const known: Readonly<Record<string, string | undefined>> = { ...names }
  const filled = Object.entries(template).map(([field, text]) => [
    field,
    // In one go: what is filled in may have braces of its own.
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) => known[name] ?? placeholders[name] ?? ''),
  ])
  return { ...(Object.fromEntries(filled) as typeof template), ...placeOf(origin) }
}

function placeOf(origin: string): Pick<PgErrorFields, 'file' | 'line' | 'routine'> {
  const [place = '', routine = ''] = origin.split(' ')
  const [file = '', line] = place.split(':')
  return { file, ...(line !== undefined && { line }), routine }
}
