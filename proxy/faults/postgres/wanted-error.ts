// The error that a fault is to report: by SQLSTATE or condition name, its other fields as the server fills them unless
// they are given.
import { Type } from '@sinclair/typebox'
import { nearest } from '../../nearest.ts'
import { defaultError } from '../../protocols/postgres/default-errors.ts'
import type { PgErrorFields } from '../../protocols/postgres/error-fields.ts'
import { conditionNames, resolveSqlState } from '../../protocols/postgres/sqlstate.ts'
import { invalidField, type FaultEnvironment } from '../fault.ts'

export const codeSchema = Type.String({
  minLength: 1,
  description: 'SQLSTATE (40001) or condition name (serialization_failure).',
})

/** @throws FaultlineError for what is neither a SQLSTATE nor the name of a condition */
export function resolveCode(code: string, environment: FaultEnvironment): string {
  const state = resolveSqlState(code)
  if (state?.isError) return state.code
  if (state) throw invalidField(environment.field('code'), 'the code of an error, not of a success or warning', code)
  const close = nearest(code.toLowerCase(), [...conditionNames])
  const hint = close === undefined ? '' : `, e.g. "${close}"`
  throw invalidField(environment.field('code'), `a SQLSTATE or a condition name of PostgreSQL${hint}`, code)
}

/** Fields of an error beside its code; those that are left out are as the server says them. */
interface ErrorDetails extends Partial<Omit<PgErrorFields, 'severity' | 'code' | 'position'>> {
  /** In characters of the query, from 1. */
  readonly position?: number
}

/** Servers send no empty fields: an empty text takes away what the usual error says there. */
export function wantedError(code: string, { position, ...texts }: ErrorDetails): PgErrorFields {
  const error = { ...defaultError(code), ...texts, ...(position !== undefined && { position: String(position) }) }
  const said = Object.entries(error).filter(([field, text]) => text !== '' || field === 'message')
  return Object.fromEntries(said) as typeof error
}
