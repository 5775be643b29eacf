// The error for a field of a probe that can't work.
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue } from '../../proxy/validate.ts'

/** @param field its path in the probe's spec, e.g. `expect.jsonPath.path` */
export function invalidField(field: string, expected: string, value: unknown, cause?: unknown): FaultlineError {
  const hint = cause instanceof Error ? ` (${cause.message})` : ''
  const message = `${field}: expected ${expected}, got ${describeValue(value)}${hint}`
  return new FaultlineError('invalid_value', message, { field, expected, cause })
}
