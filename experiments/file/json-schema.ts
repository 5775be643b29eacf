// The JSON Schema of experiment files, for editors: made of the very schemas that check them.
import type { TObject } from '@sinclair/typebox'
import {
  definitionsOf,
  DIALECT,
  matchKey,
  plain,
  reference,
  VARIABLE,
  type JsonSchema,
} from '../../admin/config/json-schema.ts'
import { isObject } from '../../admin/config/mistakes.ts'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import type { FaultDefinition, Transport } from '../../proxy/faults/fault.ts'
import { findStressorDefinition, stressorTypes } from '../../resource-stressors/index.ts'
import { expectSchemas, probeKinds, scalarExpectations, steadyStateSchema, type ProbeKind } from './probe-schema.ts'
import { experimentSchema, phasesSchema } from './schema.ts'
import {
  actionNames,
  containerStepSchema,
  faultStepSchema,
  groupNames,
  processStepSchema,
  stepSchema,
} from './step-schema.ts'

type Fields = Readonly<Record<string, JsonSchema>>

/**
 * The JSON Schema of experiment files. What it refuses the runner refuses, too; the runner refuses more, e.g. steps that
 * are longer than the experiment may be.
 */
export function experimentJsonSchema(): JsonSchema {
  const definitions = new Map<string, JsonSchema>([['variable', VARIABLE]])
  const faults = (['tcp', 'udp'] as const).flatMap((transport) =>
    definitionsOf(transport).map((definition) => faultKey(definition, transport, definitions)),
  )
  for (const type of stressorTypes()) definitions.set(`stress_${type}`, stressSchema(type))
  for (const kind of probeKinds) definitions.set(`steady_state_${kind}`, steadyStateOf(kind))
  definitions.set('step', step(faults))
  const root = closed(plain(experimentSchema))
  const phases = closed(plain(phasesSchema))
  return {
    $schema: DIALECT,
    title: 'Faultline experiment',
    ...root,
    properties: {
      ...properties(root),
      steadyState: arrayOf(properties(root)['steadyState'], {
        oneOf: probeKinds.map((kind) => reference(`steady_state_${kind}`)),
      }),
      phases: {
        ...phases,
        properties: { ...properties(phases), failure: arrayOf(properties(phases)['failure'], reference('step')) },
      },
    },
    definitions: Object.fromEntries(definitions),
  }
}

function steadyStateOf(kind: ProbeKind): JsonSchema {
  const schema = closed(plain(steadyStateSchema))
  const others = probeKinds.filter((other) => other !== kind)
  const kept = Object.entries(properties(schema)).filter(([name]) => !others.some((other) => other === name))
  const expect = closed(plain(expectSchemas[kind]))
  const isScalar = scalarExpectations[kind] !== undefined
  return {
    ...schema,
    properties: {
      ...Object.fromEntries(kept),
      expect: isScalar ? { anyOf: [expect, { type: ['string', 'number', 'boolean', 'null'] }] } : expect,
    },
    required: ['name', kind],
  }
}

function step(faults: readonly string[]): JsonSchema {
  const schema = closed(plain(stepSchema))
  const steps = (name: string): JsonSchema => arrayOf(properties(schema)[name], reference('step'))
  const kinds = [...actionNames, 'wait', ...groupNames]
  return {
    ...schema,
    properties: {
      ...properties(schema),
      // Some types are for streams and for datagrams.
      fault: { anyOf: faults.map(reference) },
      stress: { oneOf: stressorTypes().map((type) => reference(`stress_${type}`)) },
      process: named('process', 'command', processStepSchema),
      container: named('container', 'container', containerStepSchema),
      parallel: steps('parallel'),
      sequence: steps('sequence'),
    },
    oneOf: kinds.map((kind) => ({ required: [kind] })),
  }
}

function faultKey(definition: FaultDefinition, transport: Transport, definitions: Map<string, JsonSchema>): string {
  const { type, describe, schema } = definition
  const key = transport === 'tcp' ? `fault_${type}` : `${transport}_fault_${type}`
  const attributes = plain(schema as TObject)
  const match = plain('matchSchema' in definition ? definition.matchSchema : connectionMatchSchema)
  const needsAttributes = (attributes['required'] as readonly string[]).length > 0
  const fields = closed(plain(faultStepSchema))
  definitions.set(key, {
    ...fields,
    description: describe,
    properties: {
      ...properties(fields),
      type: { const: type, description: describe },
      attributes,
      match: reference(matchKey(match, definitions)),
    },
    required: ['proxy', 'type', ...(needsAttributes ? ['attributes'] : [])],
  })
  return key
}

function stressSchema(type: string): JsonSchema {
  const definition = findStressorDefinition(type)
  const attributes = plain(definition?.schema as unknown as TObject)
  return {
    ...attributes,
    description: definition?.describe,
    properties: { kind: { const: type, description: definition?.describe }, ...properties(attributes) },
    required: ['kind', ...(attributes['required'] as readonly string[])],
  }
}

/** The attributes of a stressor, one of which has a second name. */
function named(type: string, attribute: string, schema: TObject): JsonSchema {
  const attributes = plain(findStressorDefinition(type)?.schema as unknown as TObject)
  const name = { ...properties(attributes)[attribute], description: schema.properties['name']?.description }
  return { ...attributes, description: schema.description, properties: { name, ...properties(attributes) } }
}

function properties(schema: JsonSchema): Fields {
  return (schema['properties'] ?? {}) as Fields
}

function arrayOf(schema: JsonSchema | undefined, items: JsonSchema): JsonSchema {
  return { ...schema, items }
}

/** Objects in objects, too, take no fields but their own, and nothing but what JSON Schema knows stays. */
function closed(schema: unknown): JsonSchema {
  return close(schema) as JsonSchema
}

function close(value: unknown, isSchema = true): unknown {
  if (Array.isArray(value)) return value.map((item) => close(item))
  if (!isObject(value)) return value
  const entries = Object.entries(value)
    .filter(([name]) => !isSchema || name !== 'expected')
    .map(([name, inner]) => [name, close(inner, !isSchema || (name !== 'properties' && name !== 'patternProperties'))])
  const isObjectSchema = isSchema && value['type'] === 'object' && value['properties'] !== undefined
  const own = isObjectSchema && value['additionalProperties'] === undefined ? { additionalProperties: false } : {}
  return { ...Object.fromEntries(entries), ...own }
}
