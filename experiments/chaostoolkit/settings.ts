// Reads `configuration` and `secrets`, whose values may come from the environment.
import { Type } from '@sinclair/typebox'
import type { Environment } from '../../admin/config/interpolation.ts'
import { isObject, type Fields, type Mistakes } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { Values } from './values.ts'

const typeNames = ['str', 'string', 'int', 'integer', 'float', 'number', 'bytes', 'bool', 'json'] as const

const envSchema = Type.Object({
  type: Type.Literal('env'),
  key: Type.String({ minLength: 1, description: 'The environment variable.' }),
  default: Type.Optional(Type.Unknown()),
  env_var_type: Type.Optional(Type.Union(typeNames.map((name) => Type.Literal(name)))),
})

export interface SettingsSources {
  readonly environment: Environment
  /** In place of what the file's configuration says, and beside it. */
  readonly variables: Readonly<Record<string, unknown>>
}

/** What is wrong with them is added to the mistakes. */
export function readSettings(
  mistakes: Mistakes,
  configuration: unknown,
  secrets: unknown,
  { environment, variables }: SettingsSources,
): Values {
  const configured: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(isObject(configuration) ? configuration : {})) {
    if (Object.hasOwn(variables, name)) continue
    configured[name] = readConfigured(mistakes, value, joinPath('configuration', name), environment)
  }
  const groups = Object.entries(isObject(secrets) ? secrets : {}).map(([name, value]) =>
    readSecret(mistakes, value, joinPath('secrets', name), environment),
  )
  return new Values({ ...configured, ...variables }, groups.filter(isObject))
}

function readConfigured(mistakes: Mistakes, value: unknown, field: string, environment: Environment): unknown {
  if (!isObject(value)) return value
  if (value['type'] === 'env') return readEnvironment(mistakes, value, field, environment)
  if (value['type'] === 'probe') {
    refuse(mistakes, joinPath(field, 'type'), 'env or a plain value, as configuration is known before the run', 'probe')
  }
  return value
}

function readSecret(mistakes: Mistakes, value: unknown, field: string, environment: Environment): unknown {
  if (!isObject(value)) return value
  if (value['type'] === 'env') return readEnvironment(mistakes, value, field, environment)
  if (value['type'] === 'vault') {
    refuse(mistakes, joinPath(field, 'type'), 'env or a plain value', 'vault')
    return undefined
  }
  const read = Object.entries(value).map(([name, inner]) => [
    name,
    readSecret(mistakes, inner, joinPath(field, name), environment),
  ])
  return Object.fromEntries(read) as Fields
}

function readEnvironment(mistakes: Mistakes, given: Fields, field: string, environment: Environment): unknown {
  const before = mistakes.errors.length
  mistakes.fields(envSchema, given, field)
  if (mistakes.errors.length > before) return undefined
  const key = given['key'] as string
  const value = environment[key] ?? given['default']
  if (value === undefined || value === null) {
    refuse(mistakes, joinPath(field, 'key'), 'an environment variable that is set, or a default', key)
    return undefined
  }
  return mistakes.collect(field, () => convert(value, given['env_var_type'] as string | undefined, key))
}

/** @throws FaultlineError `invalid_value`; it does not show the value, which may be a secret */
function convert(value: unknown, type: string | undefined, key: string): unknown {
  if (type === 'bool') return typeof value === 'string' ? !['false', '0', 'no'].includes(value.toLowerCase()) : value
  if (typeof value !== 'string') return value
  if (type === 'int' || type === 'integer') {
    if (/^\s*[+-]?\d+\s*$/.test(value)) return Number(value)
    throw wrongVariable(key, 'an integer')
  }
  if (type === 'float' || type === 'number') {
    if (value.trim() !== '' && Number.isFinite(Number(value))) return Number(value)
    throw wrongVariable(key, 'a number')
  }
  if (type !== 'json' || value === '') return value
  try {
    return JSON.parse(value) as unknown
  } catch {
    throw wrongVariable(key, 'JSON')
  }
}

function wrongVariable(key: string, expected: string): FaultlineError {
  const message = `key: expected ${expected} in the environment variable ${key}`
  return new FaultlineError('invalid_value', message, { field: 'key', expected })
}

function refuse(mistakes: Mistakes, field: string, expected: string, value: unknown): void {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  mistakes.errors.push(new FaultlineError('invalid_value', message, { field, expected }))
}
