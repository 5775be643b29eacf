// Makes the proxies of a network what they should be, and touches nothing that is so already.
import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import {
  InstalledFault,
  type FaultProxy,
  type FaultSpec,
  type Network,
  type ProxyChange,
  type ProxySpec,
} from '../../proxy/index.ts'
import { protocols } from '../../proxy/protocols/registry.ts'
import { validate } from '../../proxy/validate.ts'
import { ownFaults, specOfFault, specOfProxy } from '../state/snapshot.ts'

/** Names of proxies. */
export interface Applied {
  readonly created: string[]
  readonly removed: string[]
  /** Those of which something has changed; connections are gone only where an address or the protocol has. */
  readonly changed: string[]
  /** What could not be done, most likely for want of a port. */
  readonly failed: { readonly proxy: string; readonly error: Error }[]
}

/** What there is on a network, each spec with what it is of. */
export class Present {
  readonly #network: Network
  /** In the order of their creation. */
  readonly specs: readonly ProxySpec[]
  readonly #faults = new Map<FaultSpec, InstalledFault>()

  constructor(network: Network) {
    this.#network = network
    this.specs = [...network.proxies].map((proxy) => ({
      ...specOfProxy(network, proxy),
      faults: ownFaults(network, proxy).map((fault) => {
        const spec = specOfFault(fault, network.clock.now())
        this.#faults.set(spec, fault)
        return spec
      }),
    }))
  }

  /**
   * Goes from what there is to what there should be.
   *
   * @param target specs that are in {@link Present.specs} are left alone; so are faults that are in one of them
   */
  async change(target: readonly ProxySpec[]): Promise<Applied> {
    const applied: Applied = { created: [], removed: [], changed: [], failed: [] }
    const attempt = async (proxy: string, list: string[], action: () => Promise<void>): Promise<void> => {
      try {
        await action()
        list.push(proxy)
      } catch (error) {
        applied.failed.push({ proxy, error: error instanceof Error ? error : new Error(String(error)) })
      }
    }
    const wanted = new Map(target.map((spec) => [spec.name, spec]))
    const work: (() => Promise<void>)[] = []
    for (const now of this.specs) {
      const { name } = now
      const proxy = this.#network.proxy(name)
      const then = wanted.get(name)
      wanted.delete(name)
      if (!proxy || then === now) continue
      if (!then) {
        await attempt(name, applied.removed, () => this.#network.removeProxy(name))
      } else if (isOtherKind(now, then)) {
        await this.#network.removeProxy(name)
        work.push(() => attempt(name, applied.changed, () => this.#replace(then)))
      } else {
        // Ports may be exchanged among proxies: all let go of theirs before any takes another.
        if (then.listen !== now.listen) await proxy.disable()
        work.push(() => attempt(name, applied.changed, () => this.#update(proxy, now, then)))
      }
    }
    for (const spec of wanted.values()) {
      work.push(() => attempt(spec.name, applied.created, () => this.#create(spec)))
    }
    for (const action of work) await action()
    return applied
  }

  async #create(spec: ProxySpec): Promise<void> {
    await this.#network.createProxy(spec)
  }

  /** Faults that the API has added may be none that it carries now: it comes back without those. */
  async #replace({ faults = [], enabled = true, ...spec }: ProxySpec): Promise<void> {
    const proxy = await this.#network.createProxy({ ...spec, enabled: false })
    const refused = faults.flatMap((fault) => {
      try {
        proxy.addFault(fault)
        return []
      } catch (error) {
        return [error]
      }
    })
    if (enabled) await proxy.enable()
    if (refused.length > 0) throw refused[0]
  }

  async #update(proxy: FaultProxy, now: ProxySpec, then: ProxySpec): Promise<void> {
    // Faults first: whoever is to come in at a new address is to meet them.
    this.#changeFaults(proxy, now.faults ?? [], then.faults ?? [])
    const { listen = DEFAULT_LISTEN, upstream, enabled = true } = then
    const change: ProxyChange = {
      ...(listen !== now.listen && { listen }),
      ...(upstream !== now.upstream && { upstream }),
      ...((enabled !== now.enabled || listen !== now.listen) && { enabled }),
    }
    if (Object.keys(change).length > 0) await proxy.update(change)
  }

  #changeFaults(proxy: FaultProxy, now: readonly FaultSpec[], then: readonly FaultSpec[]): void {
    const wanted = new Map(then.map((spec) => [spec.name, spec]))
    for (const spec of now) {
      const fault = this.#faults.get(spec)
      const other = wanted.get(spec.name)
      if (other === spec) wanted.delete(spec.name)
      // It may have ended by itself meanwhile.
      if (other === spec || !fault || proxy.fault(fault.name) !== fault) continue
      if (other && this.#changeFault(proxy, fault, other)) wanted.delete(spec.name)
      else proxy.removeFault(fault.name)
    }
    for (const spec of wanted.values()) proxy.addFault(spec)
  }

  /** @returns false if the fault has to be replaced, which its connections survive as well */
  #changeFault(proxy: FaultProxy, fault: InstalledFault, spec: FaultSpec): boolean {
    const built = InstalledFault.fromSpec(spec, '', this.#network.readFile, proxy.transport)
    const ttlMs = this.#network.safety.timeToLive(built.ttlMs)
    const same = built.type === fault.type && built.direction === fault.direction && ttlMs === fault.ttlMs
    if (same) proxy.applySettings(fault, built.settings)
    return same
  }
}

const DEFAULT_LISTEN = '127.0.0.1:0'

/** What can't be changed on a proxy that lives. */
function isOtherKind(now: ProxySpec, then: ProxySpec): boolean {
  return !isDeepStrictEqual(kindOf(now), kindOf(then))
}

function kindOf(spec: ProxySpec): object {
  const { protocol = 'tcp', from, to } = spec
  const { options } = protocols[protocol]
  const given = Object.fromEntries(Object.entries(spec).filter(([name]) => Object.hasOwn(options, name)))
  return { protocol, from, to, options: validate(Type.Object(options), given) }
}
