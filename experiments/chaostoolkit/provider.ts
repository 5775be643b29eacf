// The three kinds of providers together: checked when the file is read, prepared when an activity begins.
import type { TObject } from '@sinclair/typebox'
import { isObject, Mistakes, type Fields } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { ActivityFailed } from './activity-failed.ts'
import { providerTypes, type Provider, type ProviderType } from './document.ts'
import { callHttp } from './http-call.ts'
import { httpSchema, prepareHttp } from './http-provider.ts'
import { prepareProcess, processSchema, runProcess } from './process-provider.ts'
import type { ToxiproxyContext } from './toxiproxy/function.ts'
import { checkPython, preparePython, pythonSchema } from './toxiproxy/provider.ts'
import { isOnlyIgnored } from './unknown-fields.ts'
import type { Values } from './values.ts'

/** What providers act with. */
export interface ProviderContext extends Omit<ToxiproxyContext, 'control'> {
  /** Undefined: nothing that providers do needs one. */
  readonly control: ToxiproxyContext['control'] | undefined
  readonly allowShell: boolean
}

export interface ProviderCheck {
  readonly values: Values
  /** Names of values that there will be while the experiment runs. */
  readonly toCome: ReadonlySet<string>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly allowShell: boolean
}

const schemas: Readonly<Record<ProviderType, TObject>> = {
  http: httpSchema,
  process: processSchema,
  python: pythonSchema,
}

/**
 * What is wrong with a provider is added to the mistakes.
 *
 * @returns whether it is one
 */
export function checkProvider(
  mistakes: Mistakes,
  given: unknown,
  field: string,
  check: ProviderCheck,
): given is Provider {
  const before = mistakes.errors.length
  const type = isObject(given) ? given['type'] : undefined
  if (!isObject(given) || !isProviderType(type)) {
    const typeField = isObject(given) ? joinPath(field, 'type') : field
    const expected = isObject(given) ? 'http, process or python' : 'an object with type http, process or python'
    const message = `${typeField}: expected ${expected}, got ${describeValue(isObject(given) ? type : given)}`
    mistakes.errors.push(new FaultlineError('invalid_value', message, { field: typeField, expected }))
    return false
  }
  const filled = check.values.substitute(given) as Fields
  const isOpen = (value: unknown): boolean => check.values.unknownNames(value).some((name) => check.toCome.has(name))
  mistakes.fields(schemas[type], filled, field)
  const isShaped = isOnlyIgnored(mistakes, before)
  if (!isShaped || (type !== 'python' && isOpen(filled))) return isShaped
  if (type === 'python') checkPython(mistakes, filled, field, isOpen)
  else if (type === 'http') mistakes.collect(field, () => prepareHttp(filled, given['url']))
  else mistakes.collect(field, () => prepareProcess(filled, check.allowShell ? 'shell' : 'no-shell', check.environment))
  return isOnlyIgnored(mistakes, before)
}

function isProviderType(type: unknown): type is ProviderType {
  return providerTypes.includes(type as ProviderType)
}

/**
 * Does what a provider says, with the values of this moment.
 *
 * @param extra an argument that is added
 * @throws ActivityFailed
 */
export async function callProvider(
  provider: Provider,
  context: ProviderContext,
  signal: AbortSignal,
  extra: Fields = {},
): Promise<unknown> {
  const filled = withExtra(context.values.substitute(provider) as Provider, extra)
  try {
    return await call(provider, filled, context, signal)
  } catch (error) {
    // What values have made of it only now.
    throw error instanceof FaultlineError ? new ActivityFailed(`provider.${error.message}`, error) : error
  }
}

function call(provider: Provider, filled: Provider, context: ProviderContext, signal: AbortSignal): Promise<unknown> {
  const mistakes = new Mistakes()
  mistakes.fields(schemas[provider.type], filled, '')
  const wrong = mistakes.errors.find(({ code }) => code !== 'unknown_field')
  if (wrong) throw wrong
  switch (provider.type) {
    case 'http':
      return callHttp(prepareHttp(filled, provider['url']), provider['url'], signal)
    case 'process': {
      const { environment, allowShell } = context
      return runProcess(prepareProcess(filled, allowShell ? 'shell' : 'no-shell', environment), environment, signal)
    }
    default: {
      const { control } = context
      if (!control) throw new ActivityFailed('there is no server whose proxies could be acted on')
      return preparePython(filled)({ ...context, control })
    }
  }
}

function withExtra(provider: Provider, extra: Fields): Provider {
  if (Object.keys(extra).length === 0) return provider
  const given = provider['arguments']
  return { ...provider, arguments: { ...(isObject(given) ? given : {}), ...extra } }
}
