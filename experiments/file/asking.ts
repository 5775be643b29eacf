// Reads what is asked and at which rate: the probes of steady states, and loads.
import type { Static } from '@sinclair/typebox'
import { isObject, type Fields } from '../../admin/config/mistakes.ts'
import { joinPath } from '../../proxy/validate.ts'
import { createProbe, type Comparison, type JsonPathExpectation, type ProbeSpec } from '../probes/index.ts'
import { deepCheck } from './deep-check.ts'
import type { Aggregate, Asking } from './experiment.ts'
import { aggregateNames, expectSchemas, probeKinds, scalarExpectations, type ProbeKind } from './probe-schema.ts'
import type { loadSchema } from './probe-schema.ts'
import type { Reading } from './reading.ts'
import { comparisonSchema, looksLikeComparison, readComparison, readDuration, readRate } from './units.ts'

const DEFAULT_MAX_OUTSTANDING = 100

/** The short forms, and the field of the long one that they stand for. */
export const shortForms: Readonly<Partial<Record<ProbeKind, string>>> = { http: 'url', tcp: 'address', process: 'argv' }

type AskedFields = Fields & Partial<Pick<Static<typeof loadSchema>, 'rate' | 'maxOutstanding'>>

interface AskedWhat {
  readonly asking: Asking
  readonly aggregates: readonly Aggregate[]
}

/**
 * @param fields have passed their schema
 * @returns undefined if something is wrong, which is on record
 */
export async function readAsking(
  reading: Reading,
  fields: AskedFields,
  name: string,
  path: string,
): Promise<AskedWhat | undefined> {
  const { mistakes } = reading
  const kind = chooseKind(reading, fields, path)
  const perSecond = mistakes.collect(path, () => readRate(fields.rate ?? '1/s', joinPath(path, 'rate')))
  if (kind === undefined || perSecond === undefined) return undefined
  const before = mistakes.errors.length
  const askPath = joinPath(path, kind)
  const expectPath = joinPath(path, 'expect')
  const { expect, aggregates } = readExpect(reading, kind, fields['expect'], expectPath)
  const asked = mistakes.collect(askPath, () => readAsked(kind, fields[kind], askPath))
  if (!asked || mistakes.errors.length > before) return undefined
  const spec = { kind, name, ...asked, ...(expect && { expect }) } as unknown as ProbeSpec
  const isShort = !isObject(fields[kind])
  const rename = (field: string): string => {
    if (field === 'expect' || field.startsWith('expect.')) return path + `.${field}`
    if (field === 'name') return joinPath(path, 'name')
    return isShort ? askPath : joinPath(askPath, field.replace(/^timeoutMs$/, 'timeout'))
  }
  await reading.checked(path, rename, () => createProbe(spec).close())
  if (mistakes.errors.length > before) return undefined
  const { maxOutstanding = DEFAULT_MAX_OUTSTANDING } = fields
  return { asking: { probe: spec, perSecond, maxOutstanding }, aggregates }
}

function chooseKind(reading: Reading, fields: Fields, path: string): ProbeKind | undefined {
  const [kind, another] = probeKinds.filter((candidate) => fields[candidate] !== undefined)
  if (kind === undefined) reading.missing(path, `one of ${probeKinds.join(', ')}`)
  else if (another !== undefined) reading.refuse(joinPath(path, another), `nothing beside ${kind}`, fields[another])
  else return kind
  return undefined
}

/** As a spec of the probe has it. */
export function readAsked(kind: ProbeKind, given: unknown, path: string): Fields {
  const short = shortForms[kind]
  const fields = isObject(given) ? given : { [short ?? kind]: given }
  const { timeout, ...rest } = fields
  return typeof timeout === 'string' ? { ...rest, timeoutMs: readDuration(timeout, joinPath(path, 'timeout')) } : rest
}

interface Expected {
  readonly expect?: Fields | undefined
  readonly aggregates: readonly Aggregate[]
}

function readExpect(reading: Reading, kind: ProbeKind, given: unknown, path: string): Expected {
  if (given === undefined) return { aggregates: [] }
  if (!isObject(given)) return { expect: readScalar(reading, kind, given, path), aggregates: [] }
  if (!deepCheck(reading.mistakes, expectSchemas[kind], given, path)) return { aggregates: [] }
  const expect: Record<string, unknown> = {}
  const aggregates: Aggregate[] = []
  for (const [name, value] of Object.entries(given)) {
    const aggregate = aggregateNames.find((candidate) => candidate === name)
    if (aggregate === undefined) {
      expect[name] = readField(name, value)
      continue
    }
    const unit = aggregate === 'errorRate' || aggregate === 'availability' ? 'share' : 'duration'
    aggregates.push({ name: aggregate, comparison: readComparison(String(value), unit) })
  }
  return { ...(Object.keys(expect).length > 0 && { expect }), aggregates }
}

function readField(name: string, value: unknown): unknown {
  switch (name) {
    case 'status':
    case 'exitCode':
      return value === 'any' ? value : [value].flat()
    case 'rows':
    case 'value':
      return readComparison(String(value), 'number')
    case 'jsonPath':
      return [value].flat().map((item) => readJsonPath(item as Fields))
    default:
      return value
  }
}

function readJsonPath({ value, ...rest }: Fields): JsonPathExpectation {
  const compared = typeof value === 'string' && { value: readComparison(value, 'number') }
  return { ...(rest as unknown as JsonPathExpectation), ...compared }
}

/** `expect: 0`, `expect: "< 5"`. */
function readScalar(reading: Reading, kind: ProbeKind, given: unknown, path: string): Fields | undefined {
  const expected = scalarExpectations[kind]
  const isText = typeof given === 'string'
  if (expected === undefined || Array.isArray(given) || (kind === 'promql' && !isText && typeof given !== 'number')) {
    reading.refuse(path, expected ?? 'an object', given)
    return undefined
  }
  if (isText && (kind === 'promql' || looksLikeComparison(given))) {
    const { pattern, expected: comparison } = comparisonSchema('number', '')
    if (new RegExp(String(pattern)).test(given)) return { value: readComparison(given, 'number') }
    reading.refuse(path, String(comparison), given)
    return undefined
  }
  if (kind === 'sql') return { equals: given }
  return { value: { op: '==', number: Number(given) } satisfies Comparison }
}
