// What the flags of `fault add` and `fault set` share.
import type { FlagValues } from './command.ts'
import { integer, optional, share, text } from './flags.ts'
import { readPairs, settingsFlag, toSettings, type Settings } from './settings.ts'

export const changeFlags = {
  attributes: settingsFlag({ describe: 'Attributes as JSON, beside those that are words: {"latency":1000}.' }),
  match: settingsFlag({ describe: 'Which connections or messages it is for, e.g. method=POST; or all of it as JSON.' }),
  probability: optional(share, { describe: 'The share of connections, or of messages, that it acts on.' }),
  skip: optional(integer(0), { describe: 'Lets the first so many that match pass.' }),
  times: optional(integer(1), { describe: 'Acts on so many, then never again.' }),
  every: optional(integer(1), { describe: 'Acts on every nth that matches.' }),
  key: optional(text('NAME'), { describe: 'Counts for each value of this header (http) or field (postgres).' }),
}

type ChangeValues = FlagValues<typeof changeFlags>

/** What of a fault was given, as the API takes it. */
export interface GivenSettings {
  readonly attributes?: Settings
  readonly match?: Settings
  readonly probability?: number
  readonly skip?: number
  readonly times?: number
  readonly every?: number
  readonly key?: string
}

/**
 * @param words `NAME=VALUE`, of the command's argument
 * @param typeOf the fault's type, asked for only if a value is to be read by its schema
 * @throws UsageError
 */
export async function readFaultSettings(
  words: readonly string[],
  { attributes, match, probability, skip, times, every, key }: ChangeValues,
  typeOf: () => Promise<string>,
): Promise<GivenSettings> {
  const givenAttributes = [...attributes, ...readPairs(words, 'NAME=VALUE')]
  const needsSchemas = givenAttributes.length + match.length > 0
  const schemas = needsSchemas ? (await import('./fault-schemas.ts')).schemasOf(await typeOf()) : undefined
  return {
    ...(givenAttributes.length > 0 && { attributes: await toSettings(givenAttributes, schemas?.attributes) }),
    ...(match.length > 0 && { match: await toSettings(match, schemas?.match) }),
    ...(probability !== undefined && { probability }),
    ...(skip !== undefined && { skip }),
    ...(times !== undefined && { times }),
    ...(every !== undefined && { every }),
    ...(key !== undefined && { key }),
  }
}
