// A Faultline server, over its API, as what an experiment acts on.
import { isAdminClientError } from '../../admin/client/client-error.ts'
import { V1Client } from '../../admin/client/v1-client.ts'
import type { ProxyView } from '../../admin/client/v1-answers.ts'
import { FaultlineError, type FaultlineErrorCode } from '../../proxy/errors.ts'
import type { StressorSpec } from '../../resource-stressors/index.ts'
import { Renewal } from './renewal.ts'
import { untilTurn } from './turn.ts'
import {
  DEFAULT_LEASE_MS,
  type ExperimentTarget,
  type Holding,
  type KnownProxy,
  type PlannedStressor,
  type StressorFigures,
} from './target.ts'

export interface ServerTargetOptions {
  /** Default: where servers listen by default. */
  readonly url?: string
  readonly token?: string
  /** In milliseconds. Default 5000. */
  readonly leaseMs?: number
}

/** A server that takes longer to revert something is not going to: its lease will. */
const CALL_TIMEOUT_MS = 10_000

export class ServerTarget implements ExperimentTarget, AsyncDisposable {
  readonly name: string
  readonly #client: V1Client
  readonly #leaseMs: number

  constructor({ url, token, leaseMs = DEFAULT_LEASE_MS }: ServerTargetOptions = {}) {
    this.#client = new V1Client(url, { timeoutMs: CALL_TIMEOUT_MS, ...(token !== undefined && { token }) })
    this.#leaseMs = leaseMs
    this.name = this.#client.url
  }

  async proxies(): Promise<readonly KnownProxy[]> {
    return (await this.#client.proxies()).map(known)
  }

  async isStopped(): Promise<boolean> {
    return (await this.#client.status()).stopped
  }

  async planStressor(spec: StressorSpec): Promise<PlannedStressor> {
    const { requested, notes } = await called(this.#client.startStressor({ ...spec, dryRun: true }))
    return { requested, notes }
  }

  async hold(...[signal, onAhead]: Parameters<ExperimentTarget['hold']>): Promise<Holding> {
    const leaseMs = this.#leaseMs
    const { id } = await this.#client.createLease({ ttlMs: leaseMs, experiment: true })
    try {
      const renew = async (): Promise<number> => (await this.#client.renewLease(id)).ahead
      await untilTurn({ leaseMs, renew, onAhead }, signal)
    } catch (error) {
      await this.#client.endLease(id).catch(() => undefined) // it ends by itself
      throw error
    }
    const renew = (): Promise<boolean> => isThere(this.#client.renewLease(id))
    return new ServerHolding(this.#client, id, new Renewal({ leaseMs, renew }))
  }

  /** Ends the connections to the server. */
  close(): Promise<void> {
    return this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

class ServerHolding implements Holding {
  readonly #client: V1Client
  readonly #lease: string
  readonly #renewal: Renewal

  constructor(client: V1Client, lease: string, renewal: Renewal) {
    this.#client = client
    this.#lease = lease
    this.#renewal = renewal
  }

  get lost(): AbortSignal {
    return this.#renewal.lost
  }

  async addFault(...[proxy, { isHeld = true, ...spec }]: Parameters<Holding['addFault']>): Promise<void> {
    await called(this.#client.addFault(proxy, { ...spec, ...(isHeld && { lease: this.#lease }) }))
  }

  async changeFault(...[proxy, name, change]: Parameters<Holding['changeFault']>): Promise<void> {
    await called(this.#client.updateFault(proxy, name, change))
  }

  removeFault(proxy: string, name: string): Promise<boolean> {
    return isThere(this.#client.removeFault(proxy, name))
  }

  async injections({ proxy, fault }: { readonly proxy: string; readonly fault: string }): Promise<number | undefined> {
    const faults = await this.#client.faultsOf(proxy)
    return faults.find(({ name }) => name === fault)?.injections
  }

  async addPartition({ isHeld = true, ...spec }: Parameters<Holding['addPartition']>[0]): Promise<void> {
    await called(this.#client.addPartition({ ...spec, ...(isHeld && { lease: this.#lease }) }))
  }

  healPartition(name: string): Promise<boolean> {
    return isThere(this.#client.healPartition(name))
  }

  async startStressor(spec: Parameters<Holding['startStressor']>[0]): Promise<void> {
    await called(this.#client.startStressor({ ...spec, lease: this.#lease }))
  }

  async stopStressor(name: string): Promise<void> {
    await isThere(this.#client.stopStressor(name))
  }

  async stressorFigures(name: string): Promise<StressorFigures | undefined> {
    try {
      const { requested, achieved, notes, reason } = await this.#client.stressor(name)
      return { requested, achieved, notes, reason }
    } catch (error) {
      if (isAdminClientError(error) && error.status === 404) return undefined
      throw error
    }
  }

  async release(): Promise<void> {
    this.#renewal.stop()
    await isThere(this.#client.endLease(this.#lease))
  }
}

function known({ name, protocol, enabled, from, to }: ProxyView): KnownProxy {
  return { name, protocol, enabled, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

/** Errors of the server as those of the data plane that they are, with the field that is wrong. */
async function called<Result>(call: Promise<Result>): Promise<Result> {
  try {
    return await call
  } catch (error) {
    if (!isAdminClientError(error) || !error.problem) throw error
    const { code, field, expected } = error.problem
    throw new FaultlineError(code as FaultlineErrorCode, error.reason ?? error.message, {
      ...(field !== undefined && { field }),
      ...(expected !== undefined && { expected }),
      cause: error,
    })
  }
}

/** False if what the call is about is not there any more. */
async function isThere(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (isAdminClientError(error) && error.status === 404) return false
    throw error
  }
}
