// Query strings are text; a schema says which of it are numbers.
import type { Static, TObject } from '@sinclair/typebox'
import { validate } from '../../proxy/validate.ts'

/** @throws FaultlineError naming the parameter; a number that is none is reported with the text that came */
export function validateQuery<Schema extends TObject>(schema: Schema, query: unknown): Static<Schema> {
  const typed = Object.entries(query as Record<string, unknown>).map(([name, value]) => {
    const type: unknown = schema.properties[name]?.['type']
    const isNumber = (type === 'integer' || type === 'number') && typeof value === 'string' && value.trim() !== ''
    return [name, isNumber && !Number.isNaN(Number(value)) ? Number(value) : value]
  })
  return validate(schema, Object.fromEntries(typed))
}
