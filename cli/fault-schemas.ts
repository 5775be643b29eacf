// The schemas of a type of faults, from the registry. Imported when they are needed: they load slowly.
import type { TObject } from '@sinclair/typebox'
import { connectionMatchSchema } from '../proxy/connection-match.ts'
import type { FaultDefinition, Transport } from '../proxy/faults/fault.ts'
import { findFaultDefinition } from '../proxy/faults/registry.ts'

export const TRANSPORTS: readonly Transport[] = ['tcp', 'udp']

export interface FaultSchemas {
  readonly attributes: readonly TObject[]
  readonly match: readonly TObject[]
}

/** Those of all transports that have the type; none for one that only the server knows. */
export function schemasOf(type: string): FaultSchemas {
  const definitions = TRANSPORTS.flatMap((transport) => findFaultDefinition(type, transport) ?? [])
  return { attributes: definitions.map(attributesSchema), match: definitions.map(matchSchemaOf) }
}

export function attributesSchema({ schema }: FaultDefinition): TObject {
  return schema as TObject
}

export function matchSchemaOf(definition: FaultDefinition): TObject {
  const choosesByConnection = definition.layer === 'stream' || definition.layer === 'datagram'
  return choosesByConnection ? connectionMatchSchema : definition.matchSchema
}
