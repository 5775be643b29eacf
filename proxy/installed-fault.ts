// A fault on a proxy: its definition, its settings, its count. The acting is done by stages.
import { Type } from '@sinclair/typebox'
import { FaultlineError } from './errors.ts'
import type { Direction, FaultDefinition, FaultSpec } from './faults/fault.ts'
import { faultTypes, findFaultDefinition } from './faults/registry.ts'
import { nearest } from './nearest.ts'
import { checkName, describeValue, joinPath, validate } from './validate.ts'

export type FaultAttributes = Readonly<Record<string, unknown>>

export interface FaultSettings {
  readonly probability: number
  readonly attributes: FaultAttributes
}

/** What can be changed on a live fault; attributes are merged. */
export type FaultChange = Partial<FaultSettings>

export class InstalledFault implements FaultSettings {
  readonly definition: FaultDefinition
  readonly name: string
  readonly direction: Direction
  probability: number
  attributes: FaultAttributes
  /** Acts of this fault so far. */
  injections = 0

  constructor(definition: FaultDefinition, name: string, direction: Direction, settings: FaultSettings) {
    checkName(name, 'name')
    this.definition = definition
    this.name = name
    this.direction = direction
    this.probability = settings.probability
    this.attributes = settings.attributes
  }

  get type(): string {
    return this.definition.type
  }

  /**
   * Builds a fault from what a user wrote.
   *
   * @param path the field that holds it, for messages
   * @throws FaultlineError naming the field, if anything in it is not as the schemas say
   */
  static fromSpec(spec: FaultSpec, path = ''): InstalledFault {
    const definition = requireDefinition(spec, path)
    const { direction, name, probability, attributes } = validate(faultSpecSchema, spec, path)
    return new InstalledFault(definition, name ?? `${spec.type}_${direction}`, direction, {
      probability,
      attributes: validateAttributes(definition, attributes, path),
    })
  }

  /** Validates a change without making it; the result is the complete new settings. */
  checkChange(change: FaultChange): FaultSettings {
    const { probability, attributes } = validate(faultChangeSchema, change)
    return {
      probability: probability ?? this.probability,
      attributes: validateAttributes(this.definition, { ...this.attributes, ...attributes }, ''),
    }
  }
}

const probabilitySchema = { minimum: 0, maximum: 1, description: 'Share of connections, drawn once for each.' }

export const faultSpecSchema = Type.Object({
  type: Type.String({ description: 'A type of the registry.' }),
  name: Type.Optional(Type.String({ minLength: 1, description: 'Unique on its proxy; default <type>_<direction>.' })),
  direction: Type.Union([Type.Literal('upstream'), Type.Literal('downstream')], { default: 'downstream' }),
  probability: Type.Number({ ...probabilitySchema, default: 1 }),
  attributes: Type.Object({}, { additionalProperties: true, default: {}, description: "As the type's schema says." }),
})

export const faultChangeSchema = Type.Object({
  probability: Type.Optional(Type.Number(probabilitySchema)),
  attributes: Type.Optional(
    Type.Object({}, { additionalProperties: true, description: 'Merged into the present ones.' }),
  ),
})

function requireDefinition(spec: unknown, path: string): FaultDefinition {
  const type = typeof spec === 'object' && spec !== null ? (spec as { type?: unknown }).type : undefined
  const definition = typeof type === 'string' ? findFaultDefinition(type) : undefined
  if (definition) return definition
  const field = joinPath(path, 'type')
  const expected = `one of ${faultTypes().join(', ')}`
  const close = typeof type === 'string' ? nearest(type, faultTypes()) : undefined
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const message = `${field}: unknown fault type ${describeValue(type)}${hint}, expected ${expected}`
  throw new FaultlineError('unknown_fault_type', message, { field, expected })
}

function validateAttributes(definition: FaultDefinition, attributes: unknown, path: string): FaultAttributes {
  return validate(definition.schema, attributes, joinPath(path, 'attributes')) as FaultAttributes
}
