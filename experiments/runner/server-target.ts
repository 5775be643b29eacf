// A Faultline server, over its API, as what an experiment acts on.
import { isAdminClientError } from '../../admin/client/client-error.ts'
import { V1Client } from '../../admin/client/v1-client.ts'
import type { ProxyView } from '../../admin/client/v1-answers.ts'
import { FaultlineError, type FaultlineErrorCode } from '../../proxy/errors.ts'
import type { StressorSpec } from '../../resource-stressors/index.ts'
import { inTurn, Renewal } from './renewal.ts'
import {
  DEFAULT_LEASE_MS,
  type ExperimentTarget,
  type Holding,
  type KnownProxy,
  type PlannedStressor,
  type StressorFigures,
} from './target.ts'
import { unlessAborted } from './waiting.ts'

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
    const creating = this.#client.createLease({ ttlMs: leaseMs, experiment: true })
    const { id, ahead } = await unlessAborted(creating, signal).catch((error: unknown) => {
      creating.then((late) => this.#client.endLease(late.id)).catch(() => undefined) // it ends by itself
      throw error
    })
    const renew = async () => (await unlessGone(this.#client.renewLease(id)))?.ahead
    const renewal = new Renewal({ leaseMs, ahead, renew })
    return inTurn(new ServerHolding(this.#client, id, renewal), renewal, signal, onAhead)
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

  async hasPartition(name: string): Promise<boolean> {
    return (await this.#client.partitions()).some((partition) => partition.name === name)
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

  stopStressor(name: string): Promise<boolean> {
    return isThere(this.#client.stopStressor(name))
  }

  async stressorFigures(name: string): Promise<StressorFigures | undefined> {
    const stressor = await unlessGone(this.#client.stressor(name))
    if (!stressor) return undefined
    const { requested, achieved, notes, reason } = stressor
    return { requested, achieved, notes, reason }
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

/** Undefined if what the call is about is not there any more. */
async function unlessGone<Result>(call: Promise<Result>): Promise<Result | undefined> {
  try {
    return await call
  } catch (error) {
    if (isAdminClientError(error) && error.status === 404) return undefined
    throw error
  }
}

/** False if what the call is about is not there any more. */
async function isThere(call: Promise<unknown>): Promise<boolean> {
  return (await unlessGone(call.then(() => true))) ?? false
}
