// What the CLI knows of toxics, from the registry of faults. Imported when it is needed: the schemas load slowly.
import type { TObject, TSchema } from '@sinclair/typebox'
import { isFaultlineError } from '../proxy/errors.ts'
import type { FaultDefinition } from '../proxy/faults/fault.ts'
import { faultTypes, findFaultDefinition } from '../proxy/faults/registry.ts'
import { describeSchema, validate } from '../proxy/validate.ts'
import { UsageError } from './errors.ts'
import type { Attribute } from './toxic-flags.ts'
import { unknownWord } from './suggest.ts'

/**
 * Checks attributes against the type's schema, because Toxiproxy's API ignores those that it does not know. A type
 * that only the server knows is left to the server.
 *
 * @throws UsageError
 */
export function checkAttributes(type: string, attributes: readonly Attribute[]): Record<string, unknown> {
  const given = Object.fromEntries(attributes)
  const definition = toxicDefinition(type)
  if (!definition) return given
  try {
    validate(definition.schema, given)
    return given
  } catch (error) {
    if (isFaultlineError(error)) throw new UsageError(`--attribute ${error.message}`)
    throw error
  }
}

/** For a type that the server has refused. */
export function unknownType(type: string): UsageError {
  const known = toxicTypes().map((definition) => definition.type)
  return unknownWord(`--type: unknown toxic ${JSON.stringify(type)}`, type, known)
}

/** The types and their attributes, for help. */
export function describeToxics(): string {
  const lines = ['Types and their attributes:']
  for (const { type, describe, schema } of toxicTypes()) {
    lines.push('', `  ${type}: ${describe}`)
    for (const [name, property] of Object.entries((schema as TObject).properties)) {
      lines.push(`    ${`${name}=`.padEnd(18)}${describeAttribute(property)}`)
    }
  }
  return lines.join('\n')
}

function describeAttribute(property: TSchema): string {
  return `${property.description ?? ''} (${describeSchema(property)}; default ${String(property['default'])})`
}

/** A toxic is a stream fault. */
function toxicTypes(): FaultDefinition[] {
  return faultTypes().flatMap((type) => toxicDefinition(type) ?? [])
}

function toxicDefinition(type: string): FaultDefinition | undefined {
  const definition = findFaultDefinition(type)
  return definition?.layer === 'stream' ? definition : undefined
}
