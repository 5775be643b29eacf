// A stressor as people ask for it, and its check.
import { Type } from '@sinclair/typebox'
import { FaultlineError } from '../proxy/errors.ts'
import { nearest } from '../proxy/nearest.ts'
import { checkName, describeValue, validate } from '../proxy/validate.ts'
import { invalidAttribute, type StressorDefinition } from './definition.ts'
import { findStressorDefinition, stressorTypes } from './registry.ts'

export interface StressorSpec {
  /** A type of the registry, e.g. `cpu`. */
  readonly type: string
  /** Unique among those that are there. Default `<type>-<number>`. */
  readonly name?: string
  /** As the type's schema says; what is left out gets the schema's default. */
  readonly attributes?: Readonly<Record<string, unknown>>
  /**
   * It ends by itself after so many milliseconds, whatever becomes of the one who started it. Default 60 s, at most
   * 15 min, unless the supervisor was told otherwise.
   */
  readonly ttlMs?: number
  /** It comes to its full height in so many milliseconds, evenly. Default 0. */
  readonly rampUpMs?: number
  /** Nothing is done, only said what would be: the stressor is `planned` and has the numbers. Default false. */
  readonly dryRun?: boolean
}

const DEFAULT_TTL_MS = 60_000
const MAX_TTL_MS = 15 * 60_000

/** Ids are given by the supervisor: s1, s2 and so on. */
const ID_PATTERN = /^s\d+$/

/** Times to live, in milliseconds, where they are not the built-in ones. */
export interface TtlLimits {
  readonly defaultTtlMs?: number | undefined
  readonly maxTtlMs?: number | undefined
}

export const stressorSpecSchema = Type.Object({
  type: Type.String({ minLength: 1, description: 'What is pressed, e.g. cpu.' }),
  name: Type.Optional(Type.String({ minLength: 1, description: 'Unique. Default <type>-<number>.' })),
  attributes: Type.Unsafe<Readonly<Record<string, unknown>>>(
    Type.Object({}, { default: {}, additionalProperties: true, description: 'As the type says.' }),
  ),
  ttlMs: Type.Integer({
    default: DEFAULT_TTL_MS,
    minimum: 1,
    maximum: MAX_TTL_MS,
    description: 'Time in milliseconds after which it ends by itself.',
  }),
  rampUpMs: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: MAX_TTL_MS,
    description: 'Time in milliseconds in which it comes to its full height, evenly.',
  }),
  dryRun: Type.Boolean({ default: false, description: 'Only says what it would do.' }),
})

export interface CheckedSpec extends Required<Omit<StressorSpec, 'name'>> {
  readonly name: string | undefined
  readonly definition: StressorDefinition
}

/**
 * Checks all of a spec but what depends on the machine, and fills in defaults.
 *
 * @throws FaultlineError naming the field
 */
export function checkSpec(spec: StressorSpec, limits: TtlLimits = {}): CheckedSpec {
  const { name, ...checked } = validate(stressorSpecSchema, withDefaultTtl(spec, limits))
  if (name !== undefined) checkStressorName(name)
  checkTtl(checked.ttlMs, limits)
  const definition = findStressorDefinition(checked.type)
  if (!definition) throw unknownType(checked.type)
  const { rampUpMs, ttlMs } = checked
  if (rampUpMs > ttlMs) throw invalidAttribute('rampUpMs', `at most ttlMs, ${ttlMs}`, rampUpMs)
  const attributes = validate(definition.schema, checked.attributes, 'attributes') as Readonly<Record<string, unknown>>
  return { ...checked, name, attributes, definition }
}

/** What is no object stays as it is, for the schema to refuse. */
function withDefaultTtl(spec: unknown, { defaultTtlMs = DEFAULT_TTL_MS, maxTtlMs = MAX_TTL_MS }: TtlLimits): unknown {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return spec
  const { ttlMs = Math.min(defaultTtlMs, maxTtlMs, MAX_TTL_MS) } = spec as Partial<StressorSpec>
  return { ...spec, ttlMs }
}

function checkTtl(ttlMs: number, { maxTtlMs = MAX_TTL_MS }: TtlLimits): void {
  if (ttlMs > maxTtlMs) throw invalidAttribute('ttlMs', `at most ${maxTtlMs}, the maximum here`, ttlMs)
}

function checkStressorName(name: string): void {
  checkName(name, 'name')
  if (ID_PATTERN.test(name)) throw invalidAttribute('name', 'a name that is not like an id, s1, s2 …', name)
}

function unknownType(type: string): FaultlineError {
  const known = stressorTypes()
  const close = nearest(type, known)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const expected = `one of ${known.join(', ')}`
  const message = `type: expected ${expected}, got ${describeValue(type)}${hint}`
  return new FaultlineError('unknown_stressor_type', message, { field: 'type', expected })
}
