// From the schemas that validate to those that documents show.

export type JsonSchema = Readonly<Record<string, unknown>>

export interface Conversion {
  /** Of what is sent to the server: fields with a default may be left out. */
  readonly isInput: boolean
  /** What takes the place of a schema inside others, e.g. a reference to it. Default nothing. */
  readonly replace?: (schema: object) => JsonSchema | undefined
}

/**
 * Without typebox's own symbols; choices of constants become enumerations, which generators make better types of; a
 * tuple becomes an array of as many, a record an object with any names.
 */
export function toJsonSchema(schema: object, conversion: Conversion): JsonSchema {
  const { anyOf, required, properties, items, additionalItems: _, patternProperties, ...rest } = schema as JsonSchema
  const inner = (part: object): JsonSchema => conversion.replace?.(part) ?? toJsonSchema(part, conversion)
  if (isSchema(patternProperties)) {
    return { ...rest, additionalProperties: inner(Object.values(patternProperties)[0] as object) }
  }
  if (Array.isArray(anyOf)) return { ...rest, ...toChoice(anyOf as readonly JsonSchema[], inner) }
  if (Array.isArray(items)) return { ...rest, items: inner(items[0] as object) }
  if (isSchema(items)) return { ...rest, items: inner(items) }
  if (!isSchema(properties)) return { ...rest }
  const fields = Object.entries(properties) as [string, JsonSchema][]
  const names = ((required ?? []) as readonly string[]).filter(
    (name) => !conversion.isInput || (properties[name] as JsonSchema)['default'] === undefined,
  )
  return {
    ...rest,
    properties: Object.fromEntries(fields.map(([name, field]) => [name, inner(field)])),
    ...(names.length > 0 && { required: names }),
  }
}

function toChoice(options: readonly JsonSchema[], inner: (schema: object) => JsonSchema): JsonSchema {
  if (!options.every((option) => 'const' in option)) return { anyOf: options.map(inner) }
  const values = options.map((option) => option['const'])
  return { type: typeof values[0], enum: values }
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
