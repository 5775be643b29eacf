// The attributes of a fault, or of a stressor, as the tables of docs/ show them, from its schema.
import type { TSchema } from '@sinclair/typebox'

/**
 * The attributes in the schema's order: bold if they have to be given, with their choices, the default first, or their
 * default. Empty objects and lists are no defaults that a reader needs to know.
 */
export function attributesCell({ schema }: { readonly schema: TSchema }): string {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>)
  const required = new Set((schema['required'] ?? []) as string[])
  return properties.map(([name, property]) => attribute(name, property, required.has(name))).join(', ')
}

function attribute(name: string, property: TSchema, required: boolean): string {
  const code = `\`${name}\``
  const byDefault: unknown = property['default']
  const values = choices(property, byDefault)
  if (values)
    return `${byDefault === undefined && required ? `**${code}**` : code} (${values.map((value) => `\`${value}\``).join(', ')})`
  if (byDefault === undefined) return required ? `**${code}**` : code
  return typeof byDefault === 'object' ? code : `${code} = ${JSON.stringify(byDefault)}`
}

/** The values of an attribute that is one of some texts. */
function choices({ anyOf }: TSchema, byDefault: unknown): string[] | undefined {
  const values = (anyOf as TSchema[] | undefined)?.map((option) => option['const'] as unknown)
  if (!values?.every((value) => typeof value === 'string')) return undefined
  return values.toSorted((one, other) => Number(other === byDefault) - Number(one === byDefault))
}
