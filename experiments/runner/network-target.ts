// A network in this process, and its stressors, as what an experiment acts on.
import { FaultlineError, isFaultlineError } from '../../proxy/errors.ts'
import type { Network } from '../../proxy/index.ts'
import type { Lease } from '../../proxy/leases.ts'
import type { Stressors, StressorSpec } from '../../resource-stressors/index.ts'
import { inTurn, Renewal } from './renewal.ts'
import {
  DEFAULT_LEASE_MS,
  type ExperimentTarget,
  type Holding,
  type KnownProxy,
  type PlannedStressor,
  type StressorFigures,
} from './target.ts'

export interface NetworkTargetOptions {
  readonly network: Network
  /** Default: steps that press the machine are refused. */
  readonly stressors?: Stressors
  /** In milliseconds. Default 5000. */
  readonly leaseMs?: number
}

export class NetworkTarget implements ExperimentTarget {
  readonly name = 'the network of this process'
  readonly #network: Network
  readonly #stressors: Stressors | undefined
  readonly #leaseMs: number

  constructor({ network, stressors, leaseMs = DEFAULT_LEASE_MS }: NetworkTargetOptions) {
    this.#network = network
    this.#stressors = stressors
    this.#leaseMs = leaseMs
  }

  async proxies(): Promise<readonly KnownProxy[]> {
    return [...this.#network.proxies].map(({ name, protocol, enabled, from, to }) => ({
      name,
      protocol,
      enabled,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    }))
  }

  async isStopped(): Promise<boolean> {
    return this.#network.stopped
  }

  async planStressor(spec: StressorSpec): Promise<PlannedStressor> {
    const { requested, notes } = await requireStressors(this.#stressors).start({ ...spec, dryRun: true })
    return { requested, notes }
  }

  async hold(...[signal, onAhead]: Parameters<ExperimentTarget['hold']>): Promise<Holding> {
    const leaseMs = this.#leaseMs
    const { leases } = this.#network
    const lease = leases.create({ ttlMs: leaseMs, experiment: true })
    const renew = async () => {
      lease.renew()
      return leases.get(lease.id)?.ahead
    }
    const renewal = new Renewal({ leaseMs, ahead: lease.ahead, renew })
    return inTurn(new NetworkHolding(this.#network, this.#stressors, lease, renewal), renewal, signal, onAhead)
  }
}

class NetworkHolding implements Holding {
  readonly #network: Network
  readonly #stressors: Stressors | undefined
  readonly #lease: Lease
  readonly #renewal: Renewal

  constructor(network: Network, stressors: Stressors | undefined, lease: Lease, renewal: Renewal) {
    this.#network = network
    this.#stressors = stressors
    this.#lease = lease
    this.#renewal = renewal
  }

  get lost(): AbortSignal {
    return this.#renewal.lost
  }

  async addFault(...[proxy, { isHeld = true, ...spec }]: Parameters<Holding['addFault']>): Promise<void> {
    this.#proxy(proxy).addFault({ ...spec, ...(isHeld && { lease: this.#lease.id }) })
  }

  async changeFault(...[proxy, name, change]: Parameters<Holding['changeFault']>): Promise<void> {
    this.#proxy(proxy).updateFault(name, change)
  }

  async removeFault(proxy: string, name: string): Promise<boolean> {
    const found = this.#network.proxy(proxy)
    if (!found?.fault(name)) return false
    found.removeFault(name)
    return true
  }

  async injections({ proxy, fault }: { readonly proxy: string; readonly fault: string }): Promise<number | undefined> {
    return this.#network.proxy(proxy)?.fault(fault)?.injections
  }

  async hasPartition(name: string): Promise<boolean> {
    return this.#network.partitions.some((partition) => partition.name === name)
  }

  async addPartition({ isHeld = true, ...spec }: Parameters<Holding['addPartition']>[0]): Promise<void> {
    this.#network.partition({ ...spec, ...(isHeld && { lease: this.#lease.id }) })
  }

  async healPartition(name: string): Promise<boolean> {
    const found = this.#network.partitions.find((partition) => partition.name === name)
    found?.heal()
    return found !== undefined
  }

  async startStressor(spec: Parameters<Holding['startStressor']>[0]): Promise<void> {
    await requireStressors(this.#stressors).start(spec, this.#lease)
  }

  async stopStressor(name: string): Promise<boolean> {
    try {
      await this.#stressors?.stop(name)
      return true
    } catch (error) {
      if (!isFaultlineError(error) || error.code !== 'stressor_not_found') throw error
      return false
    }
  }

  async stressorFigures(name: string): Promise<StressorFigures | undefined> {
    const stressor = this.#stressors?.find(name)
    if (!stressor) return undefined
    const { requested, achieved, notes, reason = null } = stressor
    return { requested, achieved, notes, reason }
  }

  async release(): Promise<void> {
    this.#renewal.stop()
    this.#lease.end()
  }

  #proxy(name: string) {
    const proxy = this.#network.proxy(name)
    if (!proxy) throw new FaultlineError('proxy_not_found', `there is no proxy named "${name}"`)
    return proxy
  }
}

function requireStressors(stressors: Stressors | undefined): Stressors {
  if (stressors) return stressors
  throw new FaultlineError('stressor_refused', 'this target was given nothing that starts stressors')
}
