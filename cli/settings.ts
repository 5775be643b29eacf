// NAME=VALUE words: what a fault's attributes, its match and a protocol's options are written as.
import type { TObject, TSchema } from '@sinclair/typebox'
import { UsageError } from './errors.ts'
import { readNumber, repeatable, type FlagText, type Reader } from './flags.ts'

export type Settings = Readonly<Record<string, unknown>>

/** A word that has been cut in two, and not been read. */
export type Pair = readonly [name: string, text: string]

const pair: Reader<Pair> = {
  placeholder: 'NAME=VALUE',
  expected: 'NAME=VALUE',
  read: (given) => {
    const equals = given.indexOf('=')
    return equals < 1 ? undefined : [given.slice(0, equals), given.slice(equals + 1)]
  },
}

const jsonObject: Reader<Settings> = {
  placeholder: 'JSON',
  expected: 'an object in JSON',
  read: (given) => {
    const value = parseJson(given)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Settings) : undefined
  },
}

/** An object as JSON, or one field of it as NAME=VALUE. */
const objectOrPair: Reader<Settings | Pair> = {
  placeholder: 'NAME=VALUE',
  expected: 'NAME=VALUE, or an object in JSON',
  read: (given) => (given.trimStart().startsWith('{') ? jsonObject.read(given) : pair.read(given)),
}

/** A flag that collects an object. */
export function settingsFlag(text: FlagText) {
  return repeatable(objectOrPair, text)
}

/** @throws UsageError for a word that is not NAME=VALUE */
export function readPairs(words: readonly string[], name: string): Pair[] {
  return words.map((word) => {
    const read = pair.read(word)
    if (read) return read
    throw new UsageError(`${name}: expected ${pair.expected}, got ${JSON.stringify(word)}`)
  })
}

/**
 * Makes an object of what was given; for a name that was given twice the last one counts.
 *
 * @param schemas which say of a value whether it is meant as text: `code=40001` is, `latency=1000` is not
 */
export async function toSettings(
  given: readonly (Settings | Pair)[],
  schemas: readonly TObject[] = [],
): Promise<Settings> {
  const settings: Record<string, unknown> = {}
  for (const part of given) {
    if (isPair(part)) {
      const [name, text] = part
      settings[name] = await readValue(
        text,
        schemas.flatMap(({ properties }) => properties[name] ?? []),
      )
    } else Object.assign(settings, part)
  }
  return settings
}

function isPair(part: Settings | Pair): part is Pair {
  return Array.isArray(part)
}

/** Whatever JSON or a number it is, unless only the text will do. */
async function readValue(text: string, schemas: readonly TSchema[]): Promise<unknown> {
  const value = readNumber(text) ?? parseJson(text)
  if (value === undefined) return text
  if (schemas.length === 0) return value
  const { Value } = await import('@sinclair/typebox/value')
  const accepts = (candidate: unknown): boolean => schemas.some((schema) => Value.Check(schema, candidate))
  return !accepts(value) && accepts(text) ? text : value
}

/** Undefined if it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
