// What the toxiproxy extension's functions act on: a running server, or a network in this process.
import { isAdminClientError } from '../../admin/client/client-error.ts'
import type { V1Client } from '../../admin/client/v1-client.ts'
import {
  FaultlineError,
  isFaultlineError,
  type FaultProxy,
  type FaultSpec,
  type Network,
  type ProxySpec,
} from '../../proxy/index.ts'
import type { ChaosExperiment } from './document.ts'
import { asPythonText } from './values.ts'

/** Whose proxies are created, changed and given faults. */
export type ChaosTarget = V1Client | Network

/** Where the experiment itself says that its proxies are, by the extension's `toxiproxy_host` and `toxiproxy_port`. */
export function toxiproxyUrlOf({ values }: ChaosExperiment): string | undefined {
  const host = values.get('toxiproxy_host')
  return host === undefined
    ? undefined
    : `http://${asPythonText(host)}:${asPythonText(values.get('toxiproxy_port') || 8474)}`
}

/** As Toxiproxy shows it. */
export interface ProxyState {
  readonly name: string
  readonly listen: string
  readonly upstream: string
  readonly enabled: boolean
  readonly toxics: readonly ToxicState[]
}

export interface ToxicState {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly name: string
  readonly type: string
  readonly stream: string
  readonly toxicity: number
}

export interface ProxyChange {
  readonly listen?: string
  readonly upstream?: string
  readonly enabled?: boolean
}

export interface ProxyControl {
  /** Undefined if there is none of this name. */
  proxy(name: string): Promise<ProxyState | undefined>
  createProxy(spec: ProxySpec): Promise<ProxyState>
  updateProxy(name: string, change: ProxyChange): Promise<ProxyState>
  removeProxy(name: string): Promise<void>
  addFault(proxy: string, spec: FaultSpec): Promise<void>
  removeFault(proxy: string, name: string): Promise<void>
  reset(): Promise<void>
}

export function controlOf(target: ChaosTarget): ProxyControl {
  return 'injections' in target ? controlNetwork(target) : controlServer(target)
}

function controlServer(client: V1Client): ProxyControl {
  return {
    async proxy(name) {
      try {
        return viewProxy(await client.proxy(name))
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    },
    createProxy: async (spec) => viewProxy(await client.createProxy(spec)),
    updateProxy: async (name, change) => viewProxy(await client.updateProxy(name, change)),
    removeProxy: (name) => client.removeProxy(name),
    async addFault(proxy, spec) {
      await client.addFault(proxy, spec)
    },
    removeFault: (proxy, name) => client.removeFault(proxy, name),
    async reset() {
      await client.reset()
    },
  }
}

function controlNetwork(network: Network): ProxyControl {
  const find = (name: string): FaultProxy => {
    const proxy = network.proxy(name)
    if (proxy) return proxy
    throw new FaultlineError('proxy_not_found', `there is no proxy named "${name}"`)
  }
  return {
    async proxy(name) {
      const proxy = network.proxy(name)
      return proxy && viewProxy({ ...pickProxy(proxy), faults: [...proxy.faults] })
    },
    async createProxy(spec) {
      return viewProxy({ ...pickProxy(await network.createProxy(spec)), faults: [] })
    },
    async updateProxy(name, change) {
      const proxy = find(name)
      await proxy.update(change)
      return viewProxy({ ...pickProxy(proxy), faults: [...proxy.faults] })
    },
    removeProxy: (name) => network.removeProxy(name),
    async addFault(proxy, spec) {
      find(proxy).addFault(spec)
    },
    async removeFault(proxy, name) {
      find(proxy).removeFault(name)
    },
    reset: () => network.reset(),
  }
}

interface SeenProxy extends Omit<ProxyState, 'toxics'> {
  readonly faults: readonly SeenFault[]
}

interface SeenFault {
  readonly name: string
  readonly type: string
  readonly direction: string
  readonly probability: number
  readonly attributes: Readonly<Record<string, unknown>>
}

function pickProxy({ name, listen, upstream, enabled }: FaultProxy): Omit<SeenProxy, 'faults'> {
  return { name, listen, upstream, enabled }
}

function viewProxy({ name, listen, upstream, enabled, faults }: SeenProxy): ProxyState {
  const toxics = faults.map((fault) => ({
    attributes: fault.attributes,
    name: fault.name,
    type: fault.type,
    stream: fault.direction,
    toxicity: fault.probability,
  }))
  return { name, listen, upstream, enabled, toxics }
}

/** There is no such proxy or fault. */
export function isMissing(error: unknown): boolean {
  if (isAdminClientError(error)) return error.status === 404
  return isFaultlineError(error) && (error.code === 'proxy_not_found' || error.code === 'fault_not_found')
}
