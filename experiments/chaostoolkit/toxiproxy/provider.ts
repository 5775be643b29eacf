// Provider `python`: no Python runs here, so only the functions of the chaostoolkit-toxiproxy extension may be named,
// which are done to our own proxies.
import { Type, type TSchema } from '@sinclair/typebox'
import { isObject, Mistakes, withoutNulls, type Fields } from '../../../admin/config/mistakes.ts'
import { FaultlineError, isFaultlineError } from '../../../proxy/errors.ts'
import { faultTypes, findFaultDefinition, InstalledFault, type FaultSpec } from '../../../proxy/index.ts'
import { nearest } from '../../../proxy/nearest.ts'
import { describeValue, joinPath } from '../../../proxy/validate.ts'
import { ActivityFailed } from '../activity-failed.ts'
import { portName, type ExtensionFunction, type ToxiproxyContext } from './function.ts'
import { proxyActions, proxyProbes } from './proxies.ts'
import { toxicActions } from './toxics.ts'

export const pythonSchema = Type.Object({
  type: Type.Literal('python'),
  module: Type.String({ minLength: 1 }),
  func: Type.String({ minLength: 1 }),
  arguments: Type.Optional(Type.Object({}, { additionalProperties: true })),
  secrets: Type.Optional(Type.Unknown()),
})

export type ToxiproxyCall = (context: ToxiproxyContext) => Promise<unknown>

/** Before version 0.1 the package was called `toxiproxy`. */
const modules: Readonly<Record<string, Readonly<Record<string, ExtensionFunction>>>> = Object.fromEntries(
  ['chaostoxi', 'toxiproxy'].flatMap((packageName) => [
    [`${packageName}.proxy.actions`, proxyActions],
    [`${packageName}.proxy.probes`, proxyProbes],
    [`${packageName}.toxic.actions`, toxicActions],
  ]),
)

const KNOWN_MODULES =
  'chaostoxi.proxy.actions, chaostoxi.proxy.probes or chaostoxi.toxic.actions, as no Python runs here'

/** Values that there are only when this has run. */
export function namesToCome({ func, arguments: given }: Fields): string[] {
  const isNaming = func === 'create_proxy' || func === 'modify_proxy'
  return isNaming && isObject(given) ? [portName(String(given['proxy_name']))] : []
}

/**
 * Checks a provider; what is wrong is added to the mistakes.
 *
 * @param provider with its values filled in, and of {@link pythonSchema}
 * @param isOpen whether an argument can't be checked yet
 */
export function checkPython(
  mistakes: Mistakes,
  provider: Fields,
  field: string,
  isOpen: (value: unknown) => boolean = () => false,
): void {
  const found = mistakes.collect(field, () => find(provider))
  if (!found) return
  const path = joinPath(field, 'arguments')
  const given = argumentsOf(provider)
  const before = mistakes.errors.length
  const open = new Set(Object.keys(given).filter((parameter) => isOpen(given[parameter])))
  const properties = Object.entries(found.parameters).map(([parameter, schema]): [string, TSchema] => [
    parameter,
    open.has(parameter) ? Type.Unknown() : schema,
  ])
  mistakes.fields(Type.Object(Object.fromEntries(properties)), given, path)
  const { fault } = found
  if (!fault || open.size > 0 || mistakes.errors.length > before) return
  mistakes.collect(path, () => checkToxic(fault.spec(given), fault.names))
}

/**
 * @param provider with its values filled in
 * @throws FaultlineError naming the first field that is wrong
 */
export function preparePython(provider: Fields): ToxiproxyCall {
  const mistakes = new Mistakes()
  checkPython(mistakes, provider, '')
  const [mistake] = mistakes.errors
  if (mistake) throw mistake
  const found = find(provider)
  return async (context) => {
    try {
      return await found.call(argumentsOf(provider), context)
    } catch (error) {
      if (error instanceof ActivityFailed) throw error
      throw new ActivityFailed(error instanceof Error ? error.message : String(error), error)
    }
  }
}

/** In Python, `None` is what optional arguments are without a value. */
function argumentsOf({ arguments: given }: Fields): Fields {
  return isObject(given) ? withoutNulls(given) : {}
}

function find(provider: Fields): ExtensionFunction {
  const { module, func } = provider as { readonly module: string; readonly func: string }
  const functions = Object.hasOwn(modules, module) ? modules[module] : undefined
  if (!functions) throw refuse('module', KNOWN_MODULES, module)
  const found = Object.hasOwn(functions, func) ? functions[func] : undefined
  if (found) return found
  const names = Object.keys(functions)
  throw refuse('func', `one of ${names.join(', ')}`, func, hintOf(func, names))
}

/** Faults of the bytes of one direction. */
const toxicTypes = faultTypes().filter((type) => findFaultDefinition(type)?.layer === 'stream')

/** @throws FaultlineError naming the argument */
function checkToxic(spec: FaultSpec, names: Readonly<Record<string, string>>): void {
  if (!toxicTypes.includes(spec.type)) {
    const expected = `a toxic: one of ${toxicTypes.join(', ')}`
    throw refuse(names['type'] ?? 'type', expected, spec.type, hintOf(spec.type, toxicTypes))
  }
  try {
    InstalledFault.fromSpec(spec)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    const { code, message, field = '', expected } = error
    const argument = names[field] ?? field
    throw new FaultlineError(code, message.replace(field, argument), {
      field: argument,
      ...(expected !== undefined && { expected }),
    })
  }
}

function hintOf(given: string, known: readonly string[]): string {
  const close = nearest(given, known)
  return close === undefined ? '' : ` (did you mean "${close}"?)`
}

function refuse(field: string, expected: string, value: unknown, hint = ''): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}${hint}`
  return new FaultlineError('invalid_value', message, { field, expected })
}
