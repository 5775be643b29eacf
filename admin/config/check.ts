// Checks what a configuration file says against the schemas that the API uses, and collects all that is wrong.
import { Type, type TObject } from '@sinclair/typebox'
import { parseAddress } from '../../proxy/address.ts'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import {
  FaultlineError,
  findFaultDefinition,
  isFaultlineError,
  Network,
  type FaultProxy,
  type FaultSpec,
  type NetworkOptions,
  type ProtocolName,
  type ProxySpec,
} from '../../proxy/index.ts'
import { faultSpecSchema } from '../../proxy/installed-fault.ts'
import { protocols } from '../../proxy/protocols/registry.ts'
import { describeValue, joinPath, validate } from '../../proxy/validate.ts'
import { checkSecurityOptions } from '../security/options.ts'
import { limitsOf, securityOf } from './admin-settings.ts'
import { adminSettingsSchema, configSchema, proxyFieldsSchema, type AdminSettings } from './schema.ts'

export interface CheckedConfig {
  readonly seed: number | undefined
  readonly admin: AdminSettings
  /** As in the file; every fault has its name. */
  readonly proxies: readonly ProxySpec[]
}

type Fields = Readonly<Record<string, unknown>>

/** Finds everything that is wrong, but whether ports are free. */
export class ConfigCheck {
  /** In the order in which they were found. Their fields begin at the root of the file. */
  readonly errors: FaultlineError[] = []

  /**
   * @param value what the file says
   * @param filesDirectory the directory of files that faults may send
   * @returns what it comes to; to be used only if there are no errors
   */
  async run(value: unknown, filesDirectory: string | undefined): Promise<CheckedConfig> {
    if (!isObject(value)) {
      const expected = "an object with proxies, or an array of them in Toxiproxy's form"
      this.errors.push(
        new FaultlineError('invalid_value', `expected ${expected}, got ${describeValue(value)}`, { expected }),
      )
    }
    const { seed, admin = {}, proxies = {} } = isObject(value) ? this.#object(configSchema, value, '') : {}
    const settings = this.#admin(admin)
    const options: NetworkOptions = {
      ...(this.errors.length === 0 && limitsOf(settings)),
      ...(filesDirectory !== undefined && { filesDirectory }),
    }
    const specs: ProxySpec[] = []
    for (const [name, proxy] of isObject(proxies) ? Object.entries(proxies) : []) {
      // Building it shows what does not go together. Nothing of it listens.
      await using rehearsal = new Network(options)
      specs.push(await this.#proxy(rehearsal, name, proxy))
    }
    return { seed: seed as number | undefined, admin: settings, proxies: specs }
  }

  #admin(given: unknown): AdminSettings {
    const settings: AdminSettings = this.#object(adminSettingsSchema, given, 'admin')
    this.#address(settings.listen, 'admin.listen')
    if (this.errors.length > 0) return settings
    this.#collect('admin', () => checkSecurityOptions(securityOf(settings)))
    this.#collect('admin', () => new Network(limitsOf(settings)))
    return settings
  }

  async #proxy(rehearsal: Network, name: string, given: unknown): Promise<ProxySpec> {
    const path = joinPath('proxies', name)
    const errorsBefore = this.errors.length
    const fields = this.#object(proxyFieldsSchema, given, path)
    this.#address(fields['listen'], `${path}.listen`)
    // The API takes any upstream, as Toxiproxy does. In a file it is a mistake.
    this.#address(fields['upstream'], `${path}.upstream`)
    const protocol = isProtocol(fields['protocol']) ? fields['protocol'] : 'tcp'
    const { options } = protocols[protocol]
    this.#object(Type.Object(options), pick(fields, Object.keys(options)), path)

    const spec = { ...fields, name, faults: [] } as unknown as ProxySpec
    const isRight = this.errors.length === errorsBefore
    const built = isRight
      ? await this.#attempt(path, () => rehearsal.createProxy({ ...spec, enabled: false }))
      : undefined
    // Faults are looked at all the same, on a proxy that has nothing but its protocol.
    const proxy = built ?? (await rehearsal.createProxy({ name: 'proxy', upstream: ':1', protocol, enabled: false }))
    const faults: FaultSpec[] = []
    for (const [index, fault] of Array.isArray(fields['faults']) ? fields['faults'].entries() : []) {
      faults.push(await this.#fault(proxy, fault, `${path}.faults.${index}`))
    }
    return { ...spec, faults }
  }

  async #fault(proxy: FaultProxy, given: unknown, path: string): Promise<FaultSpec> {
    const errorsBefore = this.errors.length
    const type = isObject(given) ? String(given['type']) : ''
    const definition = findFaultDefinition(type, proxy.transport)
    // Without one, only the proxy can say what is wrong with the type.
    const fields = definition || !isObject(given) ? this.#object(faultSpecSchema, given, path) : withoutNulls(given)
    if (definition) {
      const matchSchema = 'matchSchema' in definition ? definition.matchSchema : connectionMatchSchema
      this.#inner(definition.schema as TObject, fields['attributes'], `${path}.attributes`)
      this.#inner(matchSchema, fields['match'], `${path}.match`)
    }
    const spec = fields as unknown as FaultSpec
    if (this.errors.length > errorsBefore) return spec
    const fault = await this.#attempt(path, () => proxy.addFault(spec))
    return fault ? { ...spec, name: fault.name } : spec
  }

  /** An object's fields, without those that have no value: they count as left out. */
  #object(schema: TObject, given: unknown, path: string): Fields {
    const value = isObject(given) ? withoutNulls(given) : given
    this.#fields(schema, value, path)
    return isObject(value) ? value : {}
  }

  /** What is in attributes and match. That they are objects is said by the schema of faults. */
  #inner(schema: TObject, given: unknown = {}, path: string): void {
    if (isObject(given)) this.#fields(schema, given, path)
  }

  /** Each field by itself, as validate() tells only of the first mistake. */
  #fields(schema: TObject, value: unknown, path: string): void {
    if (!isObject(value)) {
      this.#collect(path, () => validate(schema, value, path))
      return
    }
    const { properties } = schema
    for (const name of new Set([...Object.keys(properties), ...Object.keys(value)])) {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined
      const alone = property ? Type.Object({ [name]: property }) : { ...schema, required: [] }
      const check = (): unknown => validate(alone, pick(value, [name]), path)
      this.#collect(path, property?.['writeOnly'] === true ? () => discreetly(check) : check)
    }
  }

  #address(text: unknown, field: string): void {
    if (typeof text === 'string' && text !== '') this.#collect(field, () => parseAddress(text, field))
  }

  #collect(path: string, check: () => unknown): void {
    try {
      check()
    } catch (error) {
      this.#add(error, path)
    }
  }

  async #attempt<Result>(path: string, action: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await action()
    } catch (error) {
      this.#add(error, path)
      return undefined
    }
  }

  #add(error: unknown, path: string): void {
    if (!isFaultlineError(error)) throw error
    this.errors.push(atPath(error, path))
  }
}

/** Errors show what they got. A token must not get into a log by one. */
function discreetly(check: () => unknown): void {
  try {
    check()
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    const { code, message, field, expected } = error
    throw new FaultlineError(code, message.replace(/, got [^]*$/, ''), {
      ...(field !== undefined && { field }),
      ...(expected !== undefined && { expected }),
    })
  }
}

/** What the data plane says of one proxy, as said of the whole file. */
function atPath(error: FaultlineError, path: string): FaultlineError {
  const { code, message, field = '', expected } = error
  if (path === '' || field === path || field.startsWith(`${path}.`)) return error
  const beginsWithField = field !== '' && message.startsWith(`${field}:`)
  return new FaultlineError(code, beginsWithField ? joinPath(path, message) : `${path}: ${message}`, {
    field: joinPath(path, field),
    ...(expected !== undefined && { expected }),
    cause: error,
  })
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isProtocol(value: unknown): value is ProtocolName {
  return typeof value === 'string' && Object.hasOwn(protocols, value)
}

function withoutNulls(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}
