// The types of faults in the registry, as the API shows them.
import type { TObject } from '@sinclair/typebox'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import type { FaultDefinition, Transport } from '../../proxy/faults/fault.ts'
import { faultTypes, findFaultDefinition } from '../../proxy/index.ts'
import { protocolNames, transportOf } from '../../proxy/protocols/registry.ts'
import { toJsonSchema, type JsonSchema } from './json-schema.ts'

export interface FaultTypeView {
  type: string
  layer: string
  protocols: string[]
  describe: string
  attributes: JsonSchema
  match: JsonSchema
}

/** @param replace what takes the place of the schema of a match, which many types share */
export function describeFaultTypes(replace?: (schema: object) => JsonSchema | undefined): FaultTypeView[] {
  return (['tcp', 'udp'] as const).flatMap((transport) =>
    faultTypes(transport).flatMap((type) => {
      const definition = findFaultDefinition(type, transport)
      return definition ? [describeFaultType(definition, transport, replace)] : []
    }),
  )
}

function describeFaultType(
  definition: FaultDefinition,
  transport: Transport,
  replace?: (schema: object) => JsonSchema | undefined,
): FaultTypeView {
  const { type, layer, describe, schema } = definition
  const protocols =
    layer === 'message' ? [definition.protocol] : protocolNames.filter((name) => transportOf(name) === transport)
  const match = matchSchemaOf(definition)
  return {
    type,
    layer,
    protocols,
    describe,
    attributes: toJsonSchema(schema, { isInput: true }),
    match: replace?.(match) ?? toJsonSchema(match, { isInput: true }),
  }
}

function matchSchemaOf(definition: FaultDefinition): TObject {
  return 'matchSchema' in definition ? definition.matchSchema : connectionMatchSchema
}

/** The schemas of matches, by names that say whose: HttpMatch, ConnectionMatch. */
export function matchSchemas(): ReadonlyMap<object, string> {
  const names = new Map<object, string>([[connectionMatchSchema, 'ConnectionMatch']])
  for (const type of faultTypes()) {
    const definition = findFaultDefinition(type)
    if (!definition) continue
    const schema = matchSchemaOf(definition)
    const [word = ''] = type.split('_')
    if (!names.has(schema)) names.set(schema, `${word.charAt(0).toUpperCase()}${word.slice(1)}Match`)
  }
  return names
}
