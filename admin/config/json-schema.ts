// The configuration's JSON Schema, for editors: made of the very schemas that check the file.
import { Type, type TObject } from '@sinclair/typebox'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import type { FaultDefinition, Transport } from '../../proxy/faults/fault.ts'
import { faultTypes, findFaultDefinition } from '../../proxy/faults/registry.ts'
import { faultSpecSchema } from '../../proxy/installed-fault.ts'
import type { ProtocolName } from '../../proxy/protocols/protocol.ts'
import { protocolNames, protocols, transportOf } from '../../proxy/protocols/registry.ts'
import { adminSettingsSchema, configSchema, proxyFieldsSchema } from './schema.ts'

export type JsonSchema = Readonly<Record<string, unknown>>
type Fields = Readonly<Record<string, JsonSchema>>

/** What editors understand best; the YAML language server knows no later one completely. */
export const DIALECT = 'http://json-schema.org/draft-07/schema#'

/** Stands in for any value that is not a string. */
export const VARIABLE: JsonSchema = { type: 'string', pattern: '\\$\\{', description: 'A value from the environment.' }

/**
 * The JSON Schema of `faultline.yaml`. What it refuses the server refuses, too; the server refuses more, e.g. addresses
 * without a port and attributes that exclude each other.
 */
export function configJsonSchema(): JsonSchema {
  const definitions = new Map<string, JsonSchema>([['variable', VARIABLE]])
  for (const [name, field] of Object.entries(plain(faultSpecSchema)['properties'] as Fields)) {
    definitions.set(fieldKey(name), field)
  }
  for (const transport of ['tcp', 'udp'] as const) {
    for (const definition of definitionsOf(transport)) {
      definitions.set(faultKey(definition.type, transport), faultSchema(definition, definitions))
    }
  }
  for (const protocol of protocolNames) definitions.set(proxyKey(protocol), proxySchema(protocol))
  const root = plain(configSchema)
  return {
    $schema: DIALECT,
    title: 'Faultline configuration',
    description: 'Proxies and what goes wrong on them.',
    ...root,
    properties: {
      ...(root['properties'] as Fields),
      admin: plain(adminSettingsSchema),
      proxies: {
        type: 'object',
        description: 'Proxies by their names.',
        additionalProperties: { oneOf: protocolNames.map((protocol) => reference(proxyKey(protocol))) },
      },
    },
    definitions: Object.fromEntries(definitions),
  }
}

function proxySchema(protocol: ProtocolName): JsonSchema {
  const { options } = protocols[protocol]
  const transport = transportOf(protocol)
  const common = Object.entries(proxyFieldsSchema.properties).filter(([name]) => !isOption(name))
  const schema = plain(Type.Object(Object.fromEntries([...common, ...Object.entries(options)])))
  const carried = definitionsOf(transport).filter((fault) => fault.layer !== 'message' || fault.protocol === protocol)
  const required = [...(schema['required'] as string[]), ...(protocol === 'tcp' ? [] : ['protocol'])]
  return {
    ...schema,
    properties: {
      ...(schema['properties'] as Fields),
      protocol: { const: protocol, description: 'What is spoken on its connections. Default tcp.' },
      faults: {
        type: 'array',
        description: 'In place before the first connection.',
        items: { oneOf: carried.map(({ type }) => reference(faultKey(type, transport))) },
      },
    },
    required,
  }
}

/** @param definitions gets the match, which many faults share */
function faultSchema(definition: FaultDefinition, definitions: Map<string, JsonSchema>): JsonSchema {
  const { type, describe, schema } = definition
  const attributes = plain(schema as TObject)
  const fields = Object.keys(faultSpecSchema.properties).map((name) => [name, reference(fieldKey(name))] as const)
  const match = plain('matchSchema' in definition ? definition.matchSchema : connectionMatchSchema)
  return {
    type: 'object',
    description: describe,
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(fields),
      type: { const: type, description: describe },
      attributes,
      match: reference(matchKey(match, definitions)),
    },
    required: (attributes['required'] as string[]).length > 0 ? ['type', 'attributes'] : ['type'],
  }
}

export function matchKey(match: JsonSchema, definitions: Map<string, JsonSchema>): string {
  const text = JSON.stringify(match)
  const keys = [...definitions.keys()].filter((key) => key.startsWith('match_'))
  const same = keys.find((key) => JSON.stringify(definitions.get(key)) === text)
  const key = same ?? `match_${keys.length + 1}`
  definitions.set(key, match)
  return key
}

export function definitionsOf(transport: Transport): FaultDefinition[] {
  return faultTypes(transport).flatMap((type) => findFaultDefinition(type, transport) ?? [])
}

function isOption(name: string): boolean {
  return protocolNames.some((protocol) => name in protocols[protocol].options)
}

/** Of a field that all faults have. */
function fieldKey(name: string): string {
  return `fault_field_${name}`
}

function faultKey(type: string, transport: Transport): string {
  return transport === 'tcp' ? `fault_${type}` : `${transport}_fault_${type}`
}

function proxyKey(protocol: ProtocolName): string {
  return `${protocol}_proxy`
}

export function reference(definition: string): JsonSchema {
  return { $ref: `#/definitions/${definition}` }
}

/**
 * An object's schema as validate() understands it: fields with a default may be left out, others that it does not name
 * are refused.
 */
export function plain(schema: TObject): JsonSchema {
  // Without typebox's own symbols.
  const json = withVariables(JSON.parse(JSON.stringify(schema)) as JsonSchema)
  const required = (schema.required ?? []).filter((name) => schema.properties[name]?.default === undefined)
  return { additionalProperties: false, ...json, required }
}

/** What is not just any text may come from the environment. */
export function withVariables({ default: usual, description, ...schema }: JsonSchema): JsonSchema {
  const notes = { ...(description !== undefined && { description }), ...(usual !== undefined && { default: usual }) }
  const { type, anyOf } = schema
  if (Array.isArray(anyOf)) {
    const options = anyOf as readonly JsonSchema[]
    const isChoice = options.every((option) => 'const' in option)
    const choice = { enum: options.map((option) => option['const']) }
    return { ...notes, anyOf: isChoice ? [choice, reference('variable')] : options.map(withVariables) }
  }
  if (type === 'object') return { ...notes, ...schema, ...withInner(schema, ['properties', 'patternProperties']) }
  if (type === 'array' && isSchema(schema['items'])) {
    return { ...notes, ...schema, items: withVariables(schema['items']) }
  }
  const isText = type === 'string' && schema['pattern'] === undefined && !('const' in schema)
  return isText || type === undefined ? { ...notes, ...schema } : { ...notes, anyOf: [schema, reference('variable')] }
}

function withInner(schema: JsonSchema, keys: readonly string[]): JsonSchema {
  const changed = keys.flatMap((key) => {
    const inner = schema[key]
    if (!isSchema(inner)) return []
    return [
      [
        key,
        Object.fromEntries(Object.entries(inner).map(([name, value]) => [name, withVariables(value as JsonSchema)])),
      ],
    ]
  })
  return Object.fromEntries(changed) as JsonSchema
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
