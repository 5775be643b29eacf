// The types of stressors in the registry, as the API shows them.
import { findStressorDefinition, stressorSpecSchema, stressorTypes } from '../../resource-stressors/index.ts'
import { toJsonSchema, type JsonSchema } from './json-schema.ts'

export interface StressorTypeView {
  type: string
  describe: string
  attributes: JsonSchema
}

export function describeStressorTypes(): StressorTypeView[] {
  return stressorTypes().flatMap((name) => {
    const definition = findStressorDefinition(name)
    if (!definition) return []
    const { type, describe, schema } = definition
    return [{ type, describe, attributes: toJsonSchema(schema, { isInput: true }) }]
  })
}

/** The schema of what starts a stressor of this type. */
export function stressorSpecOf({ type, describe, attributes }: StressorTypeView): JsonSchema {
  const schema = toJsonSchema(stressorSpecSchema, { isInput: true })
  const needsAttributes = attributes['required'] !== undefined
  return {
    ...schema,
    description: describe,
    properties: {
      ...(schema['properties'] as JsonSchema),
      type: { type: 'string', enum: [type] },
      attributes,
      lease: { type: 'string', minLength: 1, description: 'The id of a lease; it ends when that does.' },
    },
    required: needsAttributes ? ['type', 'attributes'] : ['type'],
  }
}
