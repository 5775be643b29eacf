// Parameters of scenarios: which there are, and whether what is given for them is within their bounds.
import type { Static } from '@sinclair/typebox'
import { describeValue } from '../../proxy/describe-value.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { nearest } from '../../proxy/nearest.ts'
import type { parameterSchema, ParameterType } from '../file/scenario-schema.ts'
import { durationSchema, rateSchema, readDuration, readRate, readShare, shareSchema } from '../file/units.ts'

export type Parameter = Static<typeof parameterSchema>

/** By name, as texts. */
export type ParameterValues = Readonly<Record<string, string>>

/** How a type's values are read; undefined: it is none of them. */
const readers: Readonly<Record<ParameterType, (text: string) => number | undefined>> = {
  text: () => 0,
  duration: (text) => (matches(durationSchema('').pattern, text) ? readDuration(text, '', { minMs: 0 }) : undefined),
  rate: (text) => (matches(rateSchema('').pattern, text) ? readRate(text, '') : undefined),
  share: (text) => (matches(shareSchema('').anyOf[1].pattern, text) ? readShare(text) : undefined),
  number: (text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined),
  integer: (text) => (/^-?\d+$/.test(text) ? Number(text) : undefined),
}

const words: Readonly<Record<ParameterType, string>> = {
  text: 'a text',
  duration: 'a duration such as 60s',
  rate: 'a rate such as 20/s',
  share: 'a share such as 5%',
  number: 'a number',
  integer: 'an integer',
}

/**
 * All values of a scenario: those given, and the defaults of the others.
 *
 * @throws FaultlineError naming the first parameter that is wrong, missing, or none of the scenario
 */
export function resolveParameters(
  parameters: Readonly<Record<string, Parameter>>,
  given: ParameterValues,
): ParameterValues {
  for (const name of Object.keys(given)) if (!Object.hasOwn(parameters, name)) throw unknown(name, parameters)
  const values = Object.entries(parameters).map(([name, parameter]) => {
    const value = given[name] ?? parameter.default
    if (value === undefined) {
      const expected = `${words[typeOf(parameter)]}: ${parameter.description}`
      const details = { field: `parameters.${name}`, expected }
      throw new FaultlineError('missing_field', `parameters.${name}: missing, expected ${expected}`, details)
    }
    check(name, parameter, String(value))
    return [name, String(value)] as const
  })
  return Object.fromEntries(values)
}

function check(name: string, parameter: Parameter, text: string): void {
  const type = typeOf(parameter)
  const read = readers[type]
  const value = read(text)
  const { minimum, maximum } = parameter
  const isWithin =
    value !== undefined &&
    (minimum === undefined || value >= (read(String(minimum)) ?? -Infinity)) &&
    (maximum === undefined || value <= (read(String(maximum)) ?? Infinity))
  if (isWithin) return
  const bounds = [
    minimum === undefined ? '' : ` from ${minimum}`,
    maximum === undefined ? '' : ` ${minimum === undefined ? 'up ' : ''}to ${maximum}`,
  ].join('')
  const expected = `${words[type]}${bounds}`
  const message = `parameters.${name}: expected ${expected}, got ${describeValue(text)}`
  throw new FaultlineError('invalid_value', message, { field: `parameters.${name}`, expected })
}

function unknown(name: string, parameters: Readonly<Record<string, Parameter>>): FaultlineError {
  const known = Object.keys(parameters)
  const close = nearest(name, known)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const expected = known.length === 0 ? 'no parameters' : `one of ${known.join(', ')}`
  const message = `parameters.${name}: unknown parameter${hint}, expected ${expected}`
  return new FaultlineError('unknown_field', message, { field: `parameters.${name}`, expected })
}

function typeOf({ type = 'text' }: Parameter): ParameterType {
  return type
}

function matches(pattern: string | undefined, text: string): boolean {
  return new RegExp(pattern ?? '').test(text)
}
