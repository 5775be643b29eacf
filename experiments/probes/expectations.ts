// What an answer has to be like, as plain data, and its check. A check says in words what is wrong, or nothing.
import { isDeepStrictEqual } from 'node:util'
import { compilePattern, type Pattern } from '../../proxy/pattern.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { invalidField } from './invalid.ts'
import { compileJsonPath } from './json-path.ts'

const comparisons = {
  '<': (value: number, number: number) => value < number,
  '<=': (value: number, number: number) => value <= number,
  '>': (value: number, number: number) => value > number,
  '>=': (value: number, number: number) => value >= number,
  '==': (value: number, number: number) => value === number,
  '!=': (value: number, number: number) => value !== number,
}

export type ComparisonOperator = keyof typeof comparisons

export const comparisonOperators = Object.keys(comparisons) as readonly ComparisonOperator[]

/** E.g. `{ op: '<', number: 5 }`. */
export interface Comparison {
  readonly op: ComparisonOperator
  readonly number: number
}

/** What a JSON text has to have. With neither `equals` nor `value`, the path has to select something. */
export interface JsonPathExpectation {
  /** RFC 9535, e.g. `$.orders[0].state`. `match()` and `search()` take RE2's syntax. */
  readonly path: string
  /** What the path has to select: its one value, or the list of them if it selects several. */
  readonly equals?: unknown
  /** How its one value, a number, has to compare. */
  readonly value?: Comparison
}

/** What a text has to be like, all of it. */
export interface TextExpectation {
  /** A plain text may be anywhere in it; `/…/` is a regular expression of RE2's syntax. */
  readonly matches?: Pattern
  readonly jsonPath?: JsonPathExpectation | readonly JsonPathExpectation[]
  /** The whole text is a number that compares so. */
  readonly value?: Comparison
}

/** What a check found. */
export interface Finding {
  /** What is wrong; undefined: nothing. */
  readonly reason?: string
  /** The number that was looked at, the first of several. */
  readonly value?: number
}

export type Check<Subject> = (subject: Subject) => Finding

const FINE: Finding = {}

/** @throws FaultlineError `invalid_value` naming the field */
export function compileComparison({ op, number }: Comparison, field: string): Check<number> {
  if (!comparisonOperators.includes(op)) {
    throw invalidField(joinPath(field, 'op'), `one of ${comparisonOperators.join(' ')}`, op)
  }
  if (!Number.isFinite(number)) throw invalidField(joinPath(field, 'number'), 'a number', number)
  const holds = comparisons[op]
  return (value) => ({ value, ...(!holds(value, number) && { reason: `value ${value}, expected ${op} ${number}` }) })
}

/** Texts are taken as numbers if they are nothing else: databases and programs answer in texts. */
export function asNumber(value: unknown): number | undefined {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'string' && value.trim() !== '') value = Number(value)
  return typeof value === 'number' && !Number.isNaN(value) ? value : undefined
}

/** @throws FaultlineError `invalid_value` naming the field */
export function compileValue(comparison: Comparison, field: string): Check<unknown> {
  const compare = compileComparison(comparison, field)
  return (subject) => {
    const value = asNumber(subject)
    return value === undefined ? { reason: `value ${describeValue(subject)}, expected a number` } : compare(value)
  }
}

/** The first thing that is wrong; the first number that was seen. */
export function compileAll<Subject>(checks: readonly Check<Subject>[]): Check<Subject> {
  return (subject) => {
    let value: number | undefined
    for (const check of checks) {
      const found = check(subject)
      value ??= found.value
      if (found.reason !== undefined) return { ...found, ...(value !== undefined && { value }) }
    }
    return value === undefined ? FINE : { value }
  }
}

/**
 * @param what the text's name in messages, e.g. `body`
 * @throws FaultlineError `invalid_value` naming the field
 */
export function compileText(expectation: TextExpectation, what: string, field: string): Check<string> {
  const { matches, jsonPath, value } = expectation
  const checks: Check<string>[] = []
  if (matches !== undefined) checks.push(compileMatch(matches, what, joinPath(field, 'matches')))
  if (jsonPath !== undefined) checks.push(compileJson([jsonPath].flat(), what, joinPath(field, 'jsonPath')))
  if (value !== undefined) checks.push(compileValue(value, joinPath(field, 'value')))
  return compileAll(checks)
}

/** @throws FaultlineError `invalid_value` naming the field */
export function compileMatch(pattern: Pattern, what: string, field: string): Check<string> {
  const test = compilePattern(pattern, 'contains', field)
  const expected = pattern instanceof RegExp ? String(pattern) : describeValue(pattern)
  return (text) => (test(text) ? FINE : { reason: `${what} does not match ${expected}` })
}

function compileJson(expectations: readonly JsonPathExpectation[], what: string, field: string): Check<string> {
  const checks = expectations.map((expectation, index) =>
    compileSelection(expectation, expectations.length === 1 ? field : joinPath(field, String(index))),
  )
  const all = compileAll(checks)
  return (text) => {
    let document: unknown
    try {
      document = JSON.parse(text)
    } catch {
      return { reason: `${what} is not JSON` }
    }
    return all(document)
  }
}

function compileSelection({ path, equals, value }: JsonPathExpectation, field: string): Check<unknown> {
  const select = compileJsonPath(path, joinPath(field, 'path'))
  const compare = value === undefined ? undefined : compileValue(value, joinPath(field, 'value'))
  return (document) => {
    const selected = select(document)
    if (selected.length === 0) return { reason: `${path} selects nothing` }
    const found = selected.length === 1 ? selected[0] : selected
    if (equals !== undefined && !isDeepStrictEqual(found, equals)) {
      return { reason: `${path} is ${describeValue(found)}, expected ${describeValue(equals)}` }
    }
    const compared = compare?.(found) ?? (typeof found === 'number' ? { value: found } : FINE)
    return compared.reason === undefined ? compared : { ...compared, reason: `${path}: ${compared.reason}` }
  }
}
