// Tolerances: what the output of a probe has to be like (chaoslib/hypothesis.py).
import { Type, type TObject } from '@sinclair/typebox'
import { isDeepStrictEqual } from 'node:util'
import { isObject, type Mistakes } from '../../admin/config/mistakes.ts'
import { compilePattern } from '../../proxy/pattern.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { asNumber } from '../probes/expectations.ts'
import type { Tolerance, ToleranceObject } from './document.ts'
import { compilePath } from './json-path.ts'
import { isOnlyIgnored } from './unknown-fields.ts'
import type { Values } from './values.ts'

const target = Type.Optional(Type.String({ minLength: 1, description: 'A field of the output, e.g. `body`.' }))

const schemas: Readonly<Record<ToleranceObject['type'], TObject>> = {
  regex: Type.Object({ type: Type.Literal('regex'), pattern: Type.String(), target }),
  jsonpath: Type.Object({
    type: Type.Literal('jsonpath'),
    path: Type.String({ minLength: 1 }),
    target,
    count: Type.Optional(Type.Integer({ minimum: 0 })),
    expect: Type.Optional(Type.Unknown()),
  }),
  range: Type.Object({
    type: Type.Literal('range'),
    range: Type.Tuple([Type.Number(), Type.Number()], { expected: 'a list of two numbers' }),
    target,
  }),
  probe: Type.Object({
    type: Type.Literal('probe'),
    name: Type.Optional(Type.String()),
    provider: Type.Object({}, { additionalProperties: true }),
    background: Type.Optional(Type.Unknown()),
    pauses: Type.Optional(Type.Unknown()),
  }),
}

const EXPECTED = 'true, false, an integer, a text, a list, or an object with type regex, jsonpath, range or probe'

/** Whether a probe's output is as it has to be. What has to run for that, a probe of its own, is asked for by `ask`. */
export type ToleranceTest = (output: unknown, ask: (output: unknown) => Promise<boolean>) => Promise<boolean>

/**
 * Checks a tolerance; `probe` alone is left to who knows providers.
 *
 * @returns whether it is one
 */
export function checkTolerance(mistakes: Mistakes, given: unknown, field: string, values: Values): given is Tolerance {
  const before = mistakes.errors.length
  if (typeof given === 'string' && /^(?:yes|no|on|off)$/i.test(given)) {
    // PyYAML reads YAML 1.1, where they are booleans.
    refuse(mistakes, field, 'true or false: YAML 1.2 reads this word as a text', given)
  } else if (typeof given === 'number' && !Number.isInteger(given)) {
    refuse(mistakes, field, 'an integer, or {type: range, range: [least, greatest]} for other numbers', given)
  } else if (isObject(given)) {
    const { type } = given
    const schema =
      typeof type === 'string' && Object.hasOwn(schemas, type) ? schemas[type as keyof typeof schemas] : undefined
    if (schema) {
      mistakes.fields(schema, given, field)
      if (isOnlyIgnored(mistakes, before)) mistakes.collect(field, () => compile(given as Tolerance, values, field))
    } else {
      refuse(mistakes, joinPath(field, 'type'), 'regex, jsonpath, range or probe', type)
    }
  } else if (!['boolean', 'number', 'string'].includes(typeof given) && !Array.isArray(given)) {
    refuse(mistakes, field, EXPECTED, given)
  }
  return isOnlyIgnored(mistakes, before)
}

/** Of a tolerance that has been checked. */
export function compileTolerance(tolerance: Tolerance, values: Values): ToleranceTest {
  return compile(tolerance, values, 'tolerance')
}

function compile(tolerance: Tolerance, values: Values, field: string): ToleranceTest {
  if (Array.isArray(tolerance)) return (output) => Promise.resolve(isInList(output, tolerance))
  if (typeof tolerance !== 'object') return (output) => Promise.resolve(equals(tolerance, output))
  const given = tolerance as ToleranceObject
  if (given.type === 'probe') return (output, ask) => ask(output)
  const test = compileObject(given, values, field)
  return (output) => Promise.resolve(test(targetOf(given.target, output)))
}

function equals(tolerance: Tolerance, output: unknown): boolean {
  const isCode = typeof tolerance === 'number' && isObject(output) && 'status' in output
  return isSame(tolerance, isCode ? output['status'] : output)
}

function isInList(output: unknown, list: readonly unknown[]): boolean {
  if (isObject(output) && 'status' in output) return list.some((item) => isSame(item, output['status']))
  const [least, greatest] = list
  if (list.length !== 2) return list.some((item) => isSame(item, output))
  return isAtMost(least, output) && isAtMost(output, greatest)
}

/** What can't be compared is not in order; Python would raise an error. */
function isAtMost(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a <= b
  return typeof a === 'number' && typeof b === 'number' && a <= b
}

/** In Python, true is 1 and false is 0. */
function isSame(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(asPython(a), asPython(b))
}

function asPython(value: unknown): unknown {
  return typeof value === 'boolean' ? Number(value) : value
}

/** The output itself if it has no such field. */
function targetOf(target: string | undefined, output: unknown): unknown {
  return target !== undefined && isObject(output) && Object.hasOwn(output, target) ? output[target] : output
}

/** @throws FaultlineError naming the field */
function compileObject(
  tolerance: Exclude<ToleranceObject, { type: 'probe' }>,
  values: Values,
  field: string,
): (value: unknown) => boolean {
  switch (tolerance.type) {
    case 'regex': {
      const regex = String(values.substitute(tolerance.pattern))
      const test = regex === '' ? () => true : compilePattern(`/${regex}/`, 'text', joinPath(field, 'pattern'))
      return (value) => typeof value === 'string' && test(value)
    }
    case 'range': {
      const [least, greatest] = tolerance.range
      return (value) => {
        const number = asNumber(value)
        return number !== undefined && least <= number && number <= greatest
      }
    }
    default: {
      const select = compilePath(String(values.substitute(tolerance.path)), joinPath(field, 'path'))
      return (value) => isSelected(select(parseText(value)), tolerance)
    }
  }
}

function isSelected(
  selected: readonly unknown[],
  { count, expect }: { readonly count?: number; readonly expect?: unknown },
): boolean {
  if (expect !== undefined) return isDeepStrictEqual([...selected], Array.isArray(expect) ? expect : [expect])
  return count === undefined ? selected.length > 0 : selected.length === count
}

/** A text that is no JSON is a value like others. */
function parseText(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    return value
  }
}

function refuse(mistakes: Mistakes, field: string, expected: string, value: unknown): void {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  mistakes.errors.push(new FaultlineError('invalid_value', message, { field, expected }))
}
