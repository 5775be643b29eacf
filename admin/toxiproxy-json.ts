// Reads request bodies the way Toxiproxy (Go's encoding/json) does: unknown keys are ignored, keys match whatever
// their case, null keeps the default, integers must be integers. And the shapes that it answers with.
import type { TObject, TSchema } from '@sinclair/typebox'
import type { FaultDefinition } from '../proxy/faults/fault.ts'
import type { FaultAttributes, FaultProxy, InstalledFault } from '../proxy/index.ts'
import { describeValue, validate } from '../proxy/validate.ts'
import { JSON_DEPTH_EXPECTED, nestsTooDeeply } from './security/body-limits.ts'

/** An error as Toxiproxy's API reports it: `{ error, status }`. */
export class ToxiproxyError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function badBody(problem: string): ToxiproxyError {
  return new ToxiproxyError(400, `bad request body: ${problem}`)
}

/** Go's int64; JSON numbers beyond it are refused there, too. Its ends are rounded to this by JSON.parse. */
const MAX_INT64 = 2 ** 63

type Json = Readonly<Record<string, unknown>>

/** Parses a body. @throws ToxiproxyError 400 */
export function parseBody(body: unknown): unknown {
  const text = typeof body === 'string' ? body.trim() : ''
  if (text === '') throw badBody('EOF')
  if (nestsTooDeeply(text)) throw badBody(`expected ${JSON_DEPTH_EXPECTED}, it nests deeper`)
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    // Go's words for a body that was cut off; clients show them to people who look them up.
    throw badBody(/end of JSON input|Unterminated/i.test(reason) ? 'unexpected EOF' : reason)
  }
}

/** @throws ToxiproxyError 400 unless it is an object; null counts as an empty one */
export function asObject(value: unknown, field: string): Json {
  if (value === null) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json
  throw badBody(`${field}: expected an object, got ${describeValue(value)}`)
}

/** The value of a key; undefined if it is missing or null. */
export function readKey(object: Json, key: string): unknown {
  if (Object.hasOwn(object, key)) return object[key] ?? undefined
  const match = Object.keys(object).find((candidate) => candidate.toLowerCase() === key)
  return match === undefined ? undefined : (object[match] ?? undefined)
}

export function readString(object: Json, key: string, path = ''): string | undefined {
  const value = readKey(object, key)
  if (value === undefined || typeof value === 'string') return value
  throw badBody(`${path}${key}: expected a string, got ${describeValue(value)}`)
}

export function readBoolean(object: Json, key: string, path = ''): boolean | undefined {
  const value = readKey(object, key)
  if (value === undefined || typeof value === 'boolean') return value
  throw badBody(`${path}${key}: expected true or false, got ${describeValue(value)}`)
}

export function readNumber(object: Json, key: string, path = ''): number | undefined {
  const value = readKey(object, key)
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value
  throw badBody(`${path}${key}: expected a number, got ${describeValue(value)}`)
}

/**
 * Reads a toxic's attributes over the present ones. Types are checked, ranges are not: Toxiproxy takes negative values,
 * and every stage behaves as with the nearest sane one.
 *
 * @returns what could be read, and the error for the first that could not: Toxiproxy keeps the former on an update
 */
export function readAttributes(
  schema: TSchema,
  present: FaultAttributes,
  value: unknown,
): { attributes: FaultAttributes; error: ToxiproxyError | undefined } {
  const attributes: Record<string, unknown> = { ...present }
  let error: ToxiproxyError | undefined
  const given = value === undefined ? {} : asObject(value, 'attributes')
  for (const [key, property] of Object.entries((schema as TObject).properties)) {
    try {
      const read = readAttribute(property, given, key)
      if (read !== undefined) attributes[key] = read
    } catch (problem) {
      error ??= badBody(problem instanceof Error ? problem.message : String(problem))
    }
  }
  return { attributes, error }
}

function readAttribute(property: TSchema, given: Json, key: string): unknown {
  const value = readKey(given, key)
  if (value === undefined) return undefined
  if (property['type'] !== 'integer') return validate(property, value, `attributes.${key}`)
  if (Number.isInteger(value) && Math.abs(value as number) <= MAX_INT64) return value
  throw new Error(`attributes.${key}: expected an integer, got ${describeValue(value)}`)
}

export interface ProxyView {
  readonly name: string
  readonly listen: string
  readonly upstream: string
  readonly enabled: boolean
  readonly toxics: readonly ToxicView[]
}

export interface ToxicView {
  readonly attributes: FaultAttributes
  readonly name: string
  readonly type: string
  readonly stream: string
  readonly toxicity: number
}

export function viewProxy(proxy: FaultProxy): ProxyView {
  const { name, listen, upstream, enabled } = proxy
  return { name, listen, upstream, enabled, toxics: viewToxics(proxy) }
}

/** Upstream toxics first, each direction in order of creation. */
export function viewToxics(proxy: FaultProxy): ToxicView[] {
  const toxics = [...proxy.faults].filter(isToxic).map(viewToxic)
  return [...toxics.filter(isUpstream), ...toxics.filter((toxic) => !isUpstream(toxic))]
}

export function viewToxic(fault: InstalledFault): ToxicView {
  const { attributes, name, type, direction, probability } = fault
  return { attributes, name, type, stream: direction, toxicity: probability }
}

/** A toxic is a fault of a direction's bytes, or over UDP of its packets. */
export function isToxic({ definition }: { readonly definition: FaultDefinition }): boolean {
  return definition.layer === 'stream' || definition.layer === 'datagram'
}

function isUpstream(toxic: ToxicView): boolean {
  return toxic.stream === 'upstream'
}
