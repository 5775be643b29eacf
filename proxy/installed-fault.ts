// A fault on a proxy: its definition, its settings, its count. The acting is done by stages.
import { FaultlineError } from './errors.ts'
import type { Direction, FaultDefinition, FaultSpec } from './faults/fault.ts'
import { faultTypes, findFaultDefinition } from './faults/registry.ts'
import { describeValue, nearest, validate } from './validate.ts'

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
   * @throws FaultlineError naming the field, if anything in it is not as the registry's schema says
   */
  static fromSpec(spec: FaultSpec, path = ''): InstalledFault {
    const at = (field: string): string => (path === '' ? field : `${path}.${field}`)
    const definition = requireDefinition(spec.type, at('type'))
    const direction = checkDirection(spec.direction ?? 'downstream', at('direction'))
    const name = checkFaultName(spec.name ?? `${spec.type}_${direction}`, at('name'))
    return new InstalledFault(definition, name, direction, {
      probability: checkProbability(spec.probability ?? 1, at('probability')),
      attributes: checkAttributes(definition, spec.attributes ?? {}, at('attributes')),
    })
  }

  /** Validates a change without making it; the result is the complete new settings. */
  checkChange(change: FaultChange): FaultSettings {
    return {
      probability: checkProbability(change.probability ?? this.probability, 'probability'),
      attributes: change.attributes
        ? checkAttributes(this.definition, { ...this.attributes, ...change.attributes }, 'attributes')
        : this.attributes,
    }
  }
}

function requireDefinition(type: string, field: string): FaultDefinition {
  const definition = findFaultDefinition(type)
  if (definition) return definition
  const expected = `one of ${faultTypes().join(', ')}`
  const close = typeof type === 'string' ? nearest(type, faultTypes()) : undefined
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const message = `${field}: unknown fault type ${describeValue(type)}${hint}, expected ${expected}`
  throw new FaultlineError('unknown_fault_type', message, { field, expected })
}

function checkDirection(direction: unknown, field: string): Direction {
  if (direction === 'upstream' || direction === 'downstream') return direction
  throw invalid(field, '"upstream" or "downstream"', direction)
}

function checkFaultName(name: unknown, field: string): string {
  if (typeof name === 'string' && name !== '') return name
  throw invalid(field, 'a non-empty string', name)
}

function checkProbability(probability: unknown, field: string): number {
  if (typeof probability === 'number' && probability >= 0 && probability <= 1) return probability
  throw invalid(field, 'a number from 0 to 1', probability)
}

function checkAttributes(definition: FaultDefinition, attributes: unknown, field: string): FaultAttributes {
  return validate(definition.schema, attributes, field) as FaultAttributes
}

function invalid(field: string, expected: string, value: unknown): FaultlineError {
  return new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${describeValue(value)}`, {
    field,
    expected,
  })
}
