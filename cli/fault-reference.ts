// The reference of faults, from the registry itself. Imported when it is needed: the schemas load slowly.
import type { TObject, TSchema } from '@sinclair/typebox'
import type { FaultDefinition, Transport } from '../proxy/faults/fault.ts'
import { faultTypes, findFaultDefinition } from '../proxy/faults/registry.ts'
import { describeSchema } from '../proxy/validate.ts'
import { attributesSchema, matchSchemaOf, TRANSPORTS } from './fault-schemas.ts'

/** A type of faults, for programs: schemas are JSON Schema. */
export interface FaultReference {
  readonly type: string
  readonly layer: FaultDefinition['layer']
  /** The protocols of the proxies that carry it. */
  readonly protocols: readonly string[]
  readonly describe: string
  readonly attributes: TSchema
  readonly match: TSchema
}

/** All of this type, of which tcp and udp may have one each; of every type if none is named. */
export function faultReferences(type?: string): FaultReference[] {
  return TRANSPORTS.flatMap((transport) =>
    faultTypes(transport).flatMap((name) => {
      const definition = type === undefined || type === name ? findFaultDefinition(name, transport) : undefined
      return definition ? [toReference(definition, transport)] : []
    }),
  )
}

function toReference(definition: FaultDefinition, transport: Transport): FaultReference {
  const { type, layer, describe } = definition
  return {
    type,
    layer,
    protocols: protocolsOf(definition, transport),
    describe,
    attributes: attributesSchema(definition),
    match: matchSchemaOf(definition),
  }
}

function protocolsOf(definition: FaultDefinition, transport: Transport): string[] {
  if (definition.layer === 'message') return [definition.protocol]
  return transport === 'udp' ? ['udp'] : ['tcp', 'http', 'postgres']
}

/** Everything about a type, for people. */
export function describeReference(reference: FaultReference): string[] {
  const { type, layer, protocols, describe, attributes, match } = reference
  return [
    `${type}  (layer ${layer}; protocol ${protocols.join(', ')})`,
    '',
    describe,
    ...part('Attributes:', describeProperties(attributes as TObject)),
    ...part('Match:', describeProperties(match as TObject)),
    '',
    'Example:',
    `  faultline fault add PROXY ${[type, ...exampleWords(attributes as TObject)].join(' ')}`,
  ]
}

function part(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', heading, ...lines]
}

/** `latency=   Time in milliseconds. (an integer ≥ 0; default 0)`, each in a line. */
export function describeProperties({ properties, required = [] }: TObject, indent = '  '): string[] {
  const width = Math.max(0, ...Object.keys(properties).map((name) => name.length)) + '='.length
  return Object.entries(properties).map(([name, property]) => {
    const remarks = [describeType(property), ...defaultOf(property, required.includes(name))].join('; ')
    return `${indent}${`${name}=`.padEnd(width)}  ${[...describeText(property), `(${remarks})`].join(' ')}`
  })
}

function describeText({ description }: TSchema): string[] {
  return description === undefined ? [] : [description]
}

/** What it accepts, in words. */
export function describeType(property: TSchema): string {
  const options = property['anyOf'] as TSchema[] | undefined
  if (options?.every((option) => 'const' in option)) {
    return `one of ${options.map((option) => String(option['const'])).join(', ')}`
  }
  if (options) return [...new Set(options.map(describeType))].join(' or ')
  return property['type'] === undefined && !('const' in property) ? 'any JSON' : describeSchema(property)
}

function defaultOf(property: TSchema, isRequired: boolean): string[] {
  const byDefault: unknown = property['default']
  if (byDefault !== undefined) {
    return [`default ${typeof byDefault === 'string' ? byDefault : JSON.stringify(byDefault)}`]
  }
  return isRequired ? ['required'] : []
}

/** Attributes that have to be given, by placeholders. */
function exampleWords({ properties, required = [] }: TObject): string[] {
  return required.filter((name) => properties[name]?.['default'] === undefined).map((name) => `${name}=…`)
}
