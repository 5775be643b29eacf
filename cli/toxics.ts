// What the CLI knows of toxics, from the registry of faults. Imported when it is needed: the schemas load slowly.
import type { TObject } from '@sinclair/typebox'
import { isFaultlineError } from '../proxy/errors.ts'
import { isToxic } from '../admin/toxiproxy-json.ts'
import type { FaultDefinition, Transport } from '../proxy/faults/fault.ts'
import { faultTypes, findFaultDefinition } from '../proxy/faults/registry.ts'
import { validate } from '../proxy/validate.ts'
import { UsageError } from './errors.ts'
import { describeProperties } from './fault-reference.ts'
import { TRANSPORTS } from './fault-schemas.ts'
import type { Attribute } from './toxic-flags.ts'
import { unknownWord } from './suggest.ts'

/**
 * Checks attributes against the type's schema, because Toxiproxy's API ignores those that it does not know. Which of two
 * types of the same name is meant, and what a type is that only the server knows, is left to the server.
 *
 * @throws UsageError
 */
export function checkAttributes(type: string, attributes: readonly Attribute[]): Record<string, unknown> {
  const given = Object.fromEntries(attributes)
  const problems = TRANSPORTS.flatMap((transport) => {
    const definition = toxicDefinition(type, transport)
    return definition ? [problemOf(definition, given)] : []
  })
  if (problems[0] === undefined || problems.includes(undefined)) return given
  throw new UsageError(`--attribute ${problems[0]}`)
}

/** What is wrong with attributes, in words. */
function problemOf(definition: FaultDefinition, given: object): string | undefined {
  try {
    validate(definition.schema, given)
    return undefined
  } catch (error) {
    if (isFaultlineError(error)) return error.message
    throw error
  }
}

/** For a type that the server has refused. */
export function unknownType(type: string): UsageError {
  const known = TRANSPORTS.flatMap(toxicTypes).map((definition) => definition.type)
  return unknownWord(`--type: unknown toxic ${JSON.stringify(type)}`, type, [...new Set(known)])
}

/** The types and their attributes, for help. */
export function describeToxics(): string {
  const ofStreams = ['Types and their attributes:', ...describeTypes('tcp')]
  return [...ofStreams, '', 'On a proxy with protocol udp:', ...describeTypes('udp')].join('\n')
}

function describeTypes(transport: Transport): string[] {
  const lines: string[] = []
  for (const { type, describe, schema } of toxicTypes(transport)) {
    lines.push('', `  ${type}: ${describe}`)
    lines.push(...describeProperties(schema as TObject, '    '))
  }
  return lines
}

function toxicTypes(transport: Transport): FaultDefinition[] {
  return faultTypes(transport).flatMap((type) => toxicDefinition(type, transport) ?? [])
}

function toxicDefinition(type: string, transport: Transport): FaultDefinition | undefined {
  const definition = findFaultDefinition(type, transport)
  return definition && isToxic({ definition }) ? definition : undefined
}
