// Checks what a configuration file says against the schemas that the API uses, and collects all that is wrong.
import { Type, type TObject } from '@sinclair/typebox'
import { parseAddress } from '../../proxy/address.ts'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import {
  FaultlineError,
  findFaultDefinition,
  Network,
  type FaultProxy,
  type FaultSpec,
  type NetworkOptions,
  type ProtocolName,
  type ProxySpec,
} from '../../proxy/index.ts'
import { faultSpecSchema } from '../../proxy/installed-fault.ts'
import { protocols } from '../../proxy/protocols/registry.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { checkSecurityOptions } from '../security/options.ts'
import { limitsOf, securityOf } from './admin-settings.ts'
import { isObject, Mistakes, pick, withoutNulls } from './mistakes.ts'
import { adminSettingsSchema, configSchema, proxyFieldsSchema, type AdminSettings } from './schema.ts'

export interface CheckedConfig {
  readonly seed: number | undefined
  readonly admin: AdminSettings
  /** As in the file; every fault has its name. */
  readonly proxies: readonly ProxySpec[]
}

/** Finds everything that is wrong, but whether ports are free. */
export class ConfigCheck {
  readonly #mistakes = new Mistakes()

  /** In the order in which they were found. Their fields begin at the root of the file. */
  get errors(): FaultlineError[] {
    return this.#mistakes.errors
  }

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
    const { seed, admin = {}, proxies = {} } = isObject(value) ? this.#mistakes.object(configSchema, value, '') : {}
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
    const settings: AdminSettings = this.#mistakes.object(adminSettingsSchema, given, 'admin')
    this.#address(settings.listen, 'admin.listen')
    if (this.errors.length > 0) return settings
    this.#mistakes.collect('admin', () => checkSecurityOptions(securityOf(settings)))
    this.#mistakes.collect('admin', () => new Network(limitsOf(settings)))
    return settings
  }

  async #proxy(rehearsal: Network, name: string, given: unknown): Promise<ProxySpec> {
    const path = joinPath('proxies', name)
    const errorsBefore = this.errors.length
    const fields = this.#mistakes.object(proxyFieldsSchema, given, path)
    this.#address(fields['listen'], `${path}.listen`)
    // The API takes any upstream, as Toxiproxy does. In a file it is a mistake.
    this.#address(fields['upstream'], `${path}.upstream`)
    const protocol = isProtocol(fields['protocol']) ? fields['protocol'] : 'tcp'
    const { options } = protocols[protocol]
    this.#mistakes.object(Type.Object(options), pick(fields, Object.keys(options)), path)

    const spec = { ...fields, name, faults: [] } as unknown as ProxySpec
    const isRight = this.errors.length === errorsBefore
    const built = isRight
      ? await this.#mistakes.attempt(path, () => rehearsal.createProxy({ ...spec, enabled: false }))
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
    const fields =
      definition || !isObject(given) ? this.#mistakes.object(faultSpecSchema, given, path) : withoutNulls(given)
    if (definition) {
      const matchSchema = 'matchSchema' in definition ? definition.matchSchema : connectionMatchSchema
      this.#inner(definition.schema as TObject, fields['attributes'], `${path}.attributes`)
      this.#inner(matchSchema, fields['match'], `${path}.match`)
    }
    const spec = fields as unknown as FaultSpec
    if (this.errors.length > errorsBefore) return spec
    const fault = await this.#mistakes.attempt(path, () => proxy.addFault(spec))
    return fault ? { ...spec, name: fault.name } : spec
  }

  /** What is in attributes and match. That they are objects is said by the schema of faults. */
  #inner(schema: TObject, given: unknown = {}, path: string): void {
    if (isObject(given)) this.#mistakes.fields(schema, given, path)
  }

  #address(text: unknown, field: string): void {
    if (typeof text === 'string' && text !== '') this.#mistakes.collect(field, () => parseAddress(text, field))
  }
}

function isProtocol(value: unknown): value is ProtocolName {
  return typeof value === 'string' && Object.hasOwn(protocols, value)
}
