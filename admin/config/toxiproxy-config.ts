// A configuration in Toxiproxy's form: an array of proxies, as for POST /populate, each with its toxics.
import { FaultlineError, InstalledFault, type FaultSpec, type ProxySpec } from '../../proxy/index.ts'
import { parseAddress } from '../../proxy/address.ts'
import { nearest } from '../../proxy/nearest.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'

export interface ToxiproxyConfig {
  /** Every fault has its name. */
  readonly proxies: readonly ProxySpec[]
  /** Fields that mean nothing here. Toxiproxy ignores them silently; a typo should be seen. */
  readonly warnings: readonly string[]
}

const PROXY_FIELDS = ['name', 'listen', 'upstream', 'enabled', 'toxics']
const TOXIC_FIELDS = ['name', 'type', 'stream', 'toxicity', 'attributes']

/** @throws FaultlineError naming the field and what was expected */
export function readToxiproxyConfig(document: readonly unknown[]): ToxiproxyConfig {
  const warnings: string[] = []
  const names = new Set<string>()
  const proxies = document.map((value: unknown, index) => {
    const field = `[${index}]`
    const proxy = readProxy(value, field, warnings)
    if (names.has(proxy.name)) throw invalid(`${field}.name`, 'a name that is not taken', proxy.name)
    names.add(proxy.name)
    return proxy
  })
  return { proxies, warnings }
}

function readProxy(value: unknown, field: string, warnings: string[]): ProxySpec {
  const object = readObject(value, field, PROXY_FIELDS, warnings)
  const toxics = object['toxics'] ?? []
  if (!Array.isArray(toxics)) throw invalid(`${field}.toxics`, 'an array of toxics', toxics)
  return {
    name: readText(object, 'name', field),
    upstream: readText(object, 'upstream', field),
    listen: readListen(object, field),
    enabled: readBoolean(object['enabled'] ?? true, `${field}.enabled`),
    faults: toxics.map((toxic, index) => readToxic(toxic, `${field}.toxics[${index}]`, warnings)),
  }
}

function readToxic(value: unknown, field: string, warnings: string[]): FaultSpec {
  const { name, type, stream, toxicity, attributes } = readObject(value, field, TOXIC_FIELDS, warnings)
  const spec = {
    type,
    ...(name !== undefined && name !== null && { name }),
    direction: stream ?? 'downstream',
    probability: toxicity ?? 1,
    attributes: attributes ?? {},
  } as FaultSpec
  return { ...spec, name: InstalledFault.fromSpec(spec, field).name }
}

function readObject(
  value: unknown,
  field: string,
  known: readonly string[],
  warnings: string[],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(field, 'an object', value)
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const close = nearest(key, known)
    warnings.push(
      `${joinPath(field, key)}: unknown field, ignored${close === undefined ? '' : ` (did you mean "${close}"?)`}`,
    )
  }
  return value as Record<string, unknown>
}

function readText(object: Record<string, unknown>, key: string, field: string): string {
  const value = object[key]
  if (typeof value === 'string' && value !== '') return value
  throw invalid(`${field}.${key}`, 'a non-empty string', value)
}

function readListen(object: Record<string, unknown>, field: string): string {
  if (object['listen'] === undefined) return ':0'
  const listen = readText(object, 'listen', field)
  parseAddress(listen, `${field}.listen`)
  return listen
}

function readBoolean(value: unknown, field: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(field, 'true or false', value)
}

function invalid(field: string, expected: string, value: unknown): FaultlineError {
  return new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${describeValue(value)}`, {
    field,
    expected,
  })
}
