// Query strings are text; a schema says which of it are numbers.
import { Type, type Static, type TObject } from '@sinclair/typebox'
import { validate } from '../../proxy/validate.ts'

export const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 100_000

const limit = { minimum: 1, maximum: MAX_LIMIT }

/** Parameters of every log that can be read. */
export const proxySchema = Type.Optional(Type.String({ description: 'Only of the proxy of this name.' }))
export const sinceSchema = Type.Integer({ default: 0, minimum: 0, description: 'Only with a sequence above this one.' })
export const limitSchema = Type.Integer({ ...limit, default: DEFAULT_LIMIT, description: 'At most, the latest.' })
/** Where the default is not for all answers. */
export const optionalLimitSchema = Type.Optional(
  Type.Integer({ ...limit, description: `At most, the latest; default ${DEFAULT_LIMIT}. Not for streams.` }),
)

/** @throws FaultlineError naming the parameter; a number that is none is reported with the text that came */
export function validateQuery<Schema extends TObject>(schema: Schema, query: unknown): Static<Schema> {
  const typed = Object.entries(query as Record<string, unknown>).map(([name, value]) => {
    const type: unknown = schema.properties[name]?.['type']
    const isNumber = (type === 'integer' || type === 'number') && typeof value === 'string' && value.trim() !== ''
    return [name, isNumber && !Number.isNaN(Number(value)) ? Number(value) : value]
  })
  return validate(schema, Object.fromEntries(typed))
}
