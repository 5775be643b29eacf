// A fault on a proxy: its definition, its settings, its count. The acting is done by stages and sessions.
import { Type } from '@sinclair/typebox'
import { compileConnectionMatch, connectionMatchSchema } from './connection-match.ts'
import { FaultlineError } from './errors.ts'
import {
  invalidField,
  type ConnectionFault,
  type FaultDirection,
  type FaultDefinition,
  type FaultEnvironment,
  type FaultSpec,
  type Transport,
} from './faults/fault.ts'
import type { DatagramFault } from './faults/datagram/datagram-fault.ts'
import { faultTypes, findFaultDefinition } from './faults/registry.ts'
import { nearest } from './nearest.ts'
import { MAX_TTL_MS } from './safety.ts'
import { Selection, type SelectionSettings } from './selection.ts'
import { checkName, describeValue, joinPath, validate } from './validate.ts'

export type FaultAttributes = Readonly<Record<string, unknown>>

export interface FaultSettings extends SelectionSettings {
  /** False: it stays, and acts nowhere. */
  readonly enabled: boolean
  readonly attributes: FaultAttributes
  /** Which messages it is for, as its definition's match schema says. */
  readonly match: FaultAttributes
}

/** What can be changed on a live fault; attributes are merged, a match is replaced. */
export type FaultChange = Partial<FaultSettings>

/** Settings that have been checked, with what a message fault has been compiled to. */
export interface CheckedSettings extends FaultSettings {
  readonly direction: FaultDirection
  readonly rule?: unknown
}

/** Reads the files that attributes name. */
export type ReadFile = FaultEnvironment['readFile']

const readNothing: ReadFile = (_path, field) => {
  const expected = 'no file: this network was given no directory of files'
  throw new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}

export class InstalledFault implements FaultSettings {
  readonly definition: FaultDefinition
  readonly name: string
  /** Unique in its network once it is installed. */
  id = ''
  /** How long it stays once it is installed, in milliseconds; undefined = until it is removed. */
  ttlMs: number | undefined
  /** When it ends by itself, on the network's clock; undefined unless it is installed and has a time to live. */
  expiresMs: number | undefined
  /** The lease that it ends with. */
  readonly lease: string | undefined
  #settings: CheckedSettings
  readonly #readFile: ReadFile
  /** Which messages have been counted and acted on. */
  readonly selection = new Selection()
  /** Acts of this fault so far. */
  injections = 0

  constructor(
    definition: FaultDefinition,
    name: string,
    settings: CheckedSettings,
    readFile: ReadFile = readNothing,
    { ttlMs, lease }: { readonly ttlMs?: number | undefined; readonly lease?: string | undefined } = {},
  ) {
    checkName(name, 'name')
    this.definition = definition
    this.name = name
    this.#settings = settings
    this.#readFile = readFile
    this.ttlMs = ttlMs
    this.lease = lease
  }

  get enabled(): boolean {
    return this.#settings.enabled
  }

  get type(): string {
    return this.definition.type
  }

  get direction(): FaultDirection {
    return this.#settings.direction
  }

  get probability(): number {
    return this.#settings.probability
  }

  get attributes(): FaultAttributes {
    return this.#settings.attributes
  }

  get match(): FaultAttributes {
    return this.#settings.match
  }

  get skip(): number {
    return this.#settings.skip
  }

  get times(): number | undefined {
    return this.#settings.times
  }

  get every(): number {
    return this.#settings.every
  }

  get key(): string | undefined {
    return this.#settings.key
  }

  /** Acts on some of what matches only, chosen by counting. */
  get counts(): boolean {
    return counts(this)
  }

  /** All of them, complete. */
  get settings(): CheckedSettings {
    return this.#settings
  }

  /** What the protocol's session runs; what connections are chosen by, if not all. */
  get rule(): unknown {
    return this.#settings.rule
  }

  /** For {@link FaultProxy.applySettings}, which tells the connections. */
  apply(settings: CheckedSettings): void {
    this.#settings = settings
  }

  /**
   * Builds a fault from what a user wrote.
   *
   * @param path the field that holds it, for messages
   * @param transport of the proxy that it is for
   * @throws FaultlineError naming the field, if anything in it is not as the schemas say
   */
  static fromSpec(
    spec: FaultSpec,
    path = '',
    readFile: ReadFile = readNothing,
    transport: Transport = 'tcp',
  ): InstalledFault {
    const definition = requireDefinition(spec, path, transport)
    const { name, type: _, ttlMs, lease, ...settings } = validate(faultSpecSchema, spec, path)
    const checked = check(definition, settings, path, readFile)
    if (settings.direction !== undefined) refuseOther(settings.direction, checked.direction, definition.type, path)
    return new InstalledFault(definition, name ?? defaultName(definition, checked.direction), checked, readFile, {
      ttlMs,
      lease,
    })
  }

  /** Validates a change without making it; the result is the complete new settings. */
  checkChange(change: FaultChange): CheckedSettings {
    const { attributes, ...changed } = validate(faultChangeSchema, change)
    const { rule: _, ...present } = this.#settings
    const settings = { ...present, ...changed, attributes: { ...this.attributes, ...attributes } }
    return check(this.definition, settings, '', this.#readFile)
  }
}

const direction = Type.Union([Type.Literal('upstream'), Type.Literal('downstream'), Type.Literal('both')])
const probability = { minimum: 0, maximum: 1, description: 'Share of connections, or of messages.' }
const attributes = { additionalProperties: true, description: "As the type's schema says." }
const match = {
  additionalProperties: true,
  description: "Which connections or messages, as the type's match schema says.",
}
const enabled = { description: 'A fault that is not enabled stays and acts nowhere.' }
const skip = { minimum: 0, description: 'Connections or messages that match and pass before it acts.' }
const times = Type.Optional(
  Type.Integer({ minimum: 1, description: 'Connections or messages that it acts on at most.' }),
)
const every = { minimum: 1, description: 'Acts on every nth connection or message that matches.' }
const key = Type.Optional(
  Type.String({ minLength: 1, description: 'A header (http) or field (postgres); counts are kept for each value.' }),
)

export const faultSpecSchema = Type.Object({
  type: Type.String({ description: 'A type of the registry.' }),
  name: Type.Optional(Type.String({ minLength: 1, description: 'Unique on its proxy; default <type>_<direction>.' })),
  direction: Type.Optional(direction),
  probability: Type.Number({ ...probability, default: 1 }),
  attributes: Type.Object({}, { ...attributes, default: {} }),
  match: Type.Object({}, { ...match, default: {} }),
  skip: Type.Integer({ ...skip, default: 0 }),
  times,
  every: Type.Integer({ ...every, default: 1 }),
  key,
  ttlMs: Type.Optional(
    Type.Integer({ minimum: 1, maximum: MAX_TTL_MS, description: 'Removed by itself after so many milliseconds.' }),
  ),
  lease: Type.Optional(Type.String({ minLength: 1, description: 'The id of a lease; removed when that ends.' })),
  enabled: Type.Boolean({ ...enabled, default: true }),
})

export const faultChangeSchema = Type.Object({
  probability: Type.Optional(Type.Number(probability)),
  attributes: Type.Optional(Type.Object({}, { ...attributes, description: 'Merged into the present ones.' })),
  match: Type.Optional(Type.Object({}, { ...match, description: 'In place of the present one.' })),
  skip: Type.Optional(Type.Integer(skip)),
  times,
  every: Type.Optional(Type.Integer(every)),
  key,
  enabled: Type.Optional(Type.Boolean(enabled)),
})

function requireDefinition(spec: unknown, path: string, transport: Transport): FaultDefinition {
  const type = typeof spec === 'object' && spec !== null ? (spec as { type?: unknown }).type : undefined
  const definition = typeof type === 'string' ? findFaultDefinition(type, transport) : undefined
  if (definition) return definition
  if (typeof type === 'string' && findFaultDefinition(type, OTHER[transport])) throw notCarried(type, path, transport)
  const field = joinPath(path, 'type')
  const expected = `one of ${faultTypes(transport).join(', ')}`
  const close = typeof type === 'string' ? nearest(type, faultTypes(transport)) : undefined
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const message = `${field}: unknown fault type ${describeValue(type)}${hint}, expected ${expected}`
  throw new FaultlineError('unknown_fault_type', message, { field, expected })
}

const OTHER: Readonly<Record<Transport, Transport>> = { tcp: 'udp', udp: 'tcp' }

/** The error for a fault of the other transport. */
export function notCarried(type: string, path: string, transport: Transport): FaultlineError {
  const field = joinPath(path, 'type')
  const expected = `what ${transport} carries: one of ${faultTypes(transport).join(', ')}`
  const message = `${field}: ${type} needs a proxy over ${OTHER[transport]}, expected ${expected}`
  return new FaultlineError('fault_not_carried', message, { field, expected })
}

function defaultName(definition: FaultDefinition, direction: FaultDirection): string {
  return isUndirected(definition) ? definition.type : `${definition.type}_${direction}`
}

type UncheckedSettings = Omit<FaultSettings, 'times' | 'key'> & {
  readonly direction?: FaultDirection
  readonly times?: number | undefined
  readonly key?: string | undefined
}

function usualDirection(definition: FaultDefinition): FaultDirection {
  return isUndirected(definition) ? 'both' : 'downstream'
}

function isUndirected(definition: FaultDefinition): boolean {
  if (definition.layer === 'connection') return true
  return (definition.layer === 'stream' || definition.layer === 'datagram') && definition.undirected === true
}

/** The direction of many message faults follows from what they do. */
function refuseOther(given: FaultDirection, actual: FaultDirection, type: string, path: string): void {
  if (given === actual) return
  const field = joinPath(path, 'direction')
  const expected = `"${actual}", as the attributes of this ${type} say`
  const message = `${field}: expected ${expected}, got ${describeValue(given)}`
  throw new FaultlineError('invalid_value', message, { field, expected })
}

/** Attributes and match against the definition, all else having been validated. */
function check(
  definition: FaultDefinition,
  settings: UncheckedSettings,
  path: string,
  readFile: ReadFile,
): CheckedSettings {
  const attributes = validate(definition.schema, settings.attributes, joinPath(path, 'attributes')) as FaultAttributes
  const { times, key, ...others } = settings
  if (isUndirected(definition) && settings.direction !== undefined && settings.direction !== 'both') {
    const expected = 'nothing, as this fault is about whole connections'
    throw invalidField(joinPath(path, 'direction'), expected, settings.direction)
  }
  const checked = { ...others, times, key, attributes, direction: settings.direction ?? usualDirection(definition) }
  if (definition.layer === 'stream' || definition.layer === 'datagram') {
    if (definition.layer === 'datagram') checkCounts(definition, checked, path)
    const field = (name: string): string => joinPath(path, 'attributes', name)
    const chooses = checked.probability < 1 || counts(checked) || Object.keys(checked.match).length > 0
    definition.check?.(attributes, { readFile, field }, { chooses })
    if (key !== undefined) throw noKey(path, key)
    const match = validate(connectionMatchSchema, settings.match, joinPath(path, 'match'))
    const all = Object.keys(match).length === 0
    return { ...checked, match, rule: all ? undefined : compileConnectionMatch(match, joinPath(path, 'match')) }
  }
  if (definition.layer === 'connection') return { ...checked, ...checkConnection(definition, checked, path, readFile) }
  if (key !== undefined && definition.keys?.includes(key) === false) {
    throw invalidField(joinPath(path, 'key'), `one of ${definition.keys.join(', ')}`, key)
  }
  const match = validate(definition.matchSchema, plainPatterns(settings.match), joinPath(path, 'match'))
  const environment: FaultEnvironment = { readFile, field: (name) => joinPath(path, name) }
  const compiled = definition.compile({ attributes, match, direction: checked.direction }, environment)
  return { ...checked, match, ...compiled }
}

function checkConnection(
  definition: ConnectionFault,
  { attributes, match: given, key, probability, skip, times, every }: FaultSettings,
  path: string,
  readFile: ReadFile,
): { match: FaultAttributes; rule: unknown } {
  if (key !== undefined) throw noKey(path, key)
  const match = validate(definition.matchSchema, given, joinPath(path, 'match'))
  const environment: FaultEnvironment = { readFile, field: (name) => joinPath(path, name) }
  const chooses = probability < 1 || counts({ skip, times, every })
  return { match, rule: definition.compile({ attributes, match, chooses }, environment) }
}

/** Nothing that counts packets may be silently ignored. */
function checkCounts({ type, chooses }: DatagramFault, settings: FaultSettings, path: string): void {
  const { skip, times, every, match, probability } = settings
  const given = { skip: skip !== 0, times: times !== undefined, every: every !== 1 }
  const clients = { match: Object.keys(match).length > 0, probability: probability !== 1 }
  const refused = { ...(chooses !== 'packets' && given), ...(chooses === 'nothing' && clients) }
  const wrong = Object.entries(refused).find(([, isGiven]) => isGiven)?.[0]
  if (wrong === undefined) return
  const field = joinPath(path, wrong)
  const expected = `nothing, as ${type} acts on all ${chooses === 'nothing' ? 'clients' : 'packets of a client'}`
  throw new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}

function counts({ skip, times, every }: Pick<SelectionSettings, 'skip' | 'times' | 'every'>): boolean {
  return skip > 0 || times !== undefined || every > 1
}

function noKey(path: string, key: string): FaultlineError {
  return invalidField(joinPath(path, 'key'), 'nothing, as connections have no keys', key)
}

/** Programs may write a pattern as a RegExp; from here on it is what JSON can hold. */
function plainPatterns(value: unknown): unknown {
  if (value instanceof RegExp) return { regex: value.source, flags: value.flags }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainPatterns(inner)]))
}
