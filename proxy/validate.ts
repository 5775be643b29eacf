// Checks values from outside against a schema and says what is wrong in words: field, expectation, what came.
import type { Static, TObject, TSchema } from '@sinclair/typebox'
import { Value, ValueErrorType, type ValueError } from '@sinclair/typebox/value'
import { describeValue } from './describe-value.ts'
import { FaultlineError } from './errors.ts'
import { nearest } from './nearest.ts'

export { describeValue } from './describe-value.ts'

/**
 * Returns a copy of `value` with the schema's defaults filled in.
 *
 * @param path the field that holds the value, for messages; empty for a whole document
 * @throws FaultlineError `invalid_value`, `missing_field` or `unknown_field` for the first thing that is wrong
 */
export function validate<Schema extends TSchema>(schema: Schema, value: unknown, path = ''): Static<Schema> {
  const filled = withDefaults(schema, value)
  const strict = closed(schema)
  const error = Value.Errors(strict, filled).First()
  if (error) throw toFaultlineError(error, strict, path)
  return filled
}

/** A copy in which missing fields have their defaults. Only missing ones: typebox's own Default also replaces wrong ones. */
function withDefaults(schema: TSchema, value: unknown): unknown {
  if (schema['type'] !== 'object' || typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const filled: Record<string, unknown> = { ...value }
  for (const [key, property] of Object.entries((schema as TObject).properties)) {
    if (filled[key] === undefined && property.default !== undefined) filled[key] = structuredClone(property.default)
  }
  return filled
}

/** `joinPath('faults', '0')` is `faults.0`; empty parts are left out. */
export function joinPath(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('.')
}

/** Objects accept no field beyond their schema's: a typo must not silently do nothing. */
function closed(schema: TSchema): TSchema {
  return schema['type'] === 'object' && schema['additionalProperties'] === undefined
    ? { ...schema, additionalProperties: false }
    : schema
}

function toFaultlineError(error: ValueError, schema: TSchema, path: string): FaultlineError {
  const field = joinPath(path, ...error.path.split('/').slice(1)) || 'body'
  if (error.type === ValueErrorType.ObjectAdditionalProperties) {
    const name = field.slice(field.lastIndexOf('.') + 1)
    const known = Object.keys((schema as TObject).properties ?? {})
    const expected = known.length > 0 ? `one of ${known.join(', ')}` : 'no fields'
    const close = nearest(name, known)
    const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
    return new FaultlineError('unknown_field', `${field}: unknown field${hint}, expected ${expected}`, {
      field,
      expected,
    })
  }
  const expected = describeSchema(error.schema)
  if (error.type === ValueErrorType.ObjectRequiredProperty) {
    return new FaultlineError('missing_field', `${field}: missing, expected ${expected}`, { field, expected })
  }
  const message = `${field}: expected ${expected}, got ${describeValue(error.value)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}

/** What a schema wants, in words: "an integer ≥ 0". One that can say it better has them as its `expected`. */
export function describeSchema(schema: TSchema): string {
  if (typeof schema['expected'] === 'string') return schema['expected']
  const options = schema['anyOf'] as TSchema[] | undefined
  if (options) return options.map(describeSchema).join(' or ')
  if ('const' in schema) return JSON.stringify(schema['const'])
  const bounds = describeBounds(schema)
  switch (schema['type']) {
    case 'integer':
      return `an integer${bounds}`
    case 'number':
      return `a number${bounds}`
    case 'string':
      return schema['minLength'] ? 'a non-empty string' : 'a string'
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'an array'
    default:
      return 'an object'
  }
}

function describeBounds({ minimum, maximum }: TSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` ≥ ${minimum}`
  return maximum === undefined ? '' : ` ≤ ${maximum}`
}

/**
 * Checks what a path of the API must be able to name.
 *
 * @throws FaultlineError `invalid_value`
 */
export function checkName(name: string, field: string): void {
  if (name.length > 0 && name.length <= MAX_NAME_LENGTH && name.isWellFormed()) return
  const expected = `1 to ${MAX_NAME_LENGTH} characters of well-formed Unicode`
  const message = `${field}: expected ${expected}, got ${describeValue(name)}`
  throw new FaultlineError('invalid_value', message, { field, expected })
}

/** Far above what people use; as a path it must fit into the 16 KiB that Node takes of a request's head. */
export const MAX_NAME_LENGTH = 4096
