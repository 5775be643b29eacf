// Drives a running server over our own API, /v1.
import type { Dispatcher } from 'undici'
import type { FaultChange, FaultSpec, ProxyChange, ProxySpec } from '../../proxy/index.ts'
import type { LeaseSpec } from '../../proxy/leases.ts'
import type { PartitionSpec } from '../../proxy/partition.ts'
import type { StressorSpec } from '../../resource-stressors/index.ts'
import { readFeed, type FeedOptions } from './feed.ts'
import { Transport, type AdminClientOptions } from './transport.ts'
import {
  isAnything,
  isDial,
  isEnded,
  isEventList,
  isExperiment,
  isExperimentPlan,
  isFault,
  isLease,
  isListIn,
  isJournal,
  isPartition,
  isProxy,
  isRecovery,
  isScenario,
  isScenarioList,
  type FaultView,
  type EndedView,
  type EventList,
  type ExperimentPlanView,
  type ExperimentSpec,
  type ExperimentView,
  type FeedEntryView,
  type Journal,
  type RecoveryView,
  type ScenarioList,
  type ScenarioView,
  type DialView,
  type LeaseView,
  type PartitionView,
  isStatus,
  isStressor,
  type ProxyView,
  type StatusView,
  type StressorView,
} from './v1-answers.ts'

type Check<Answer> = (value: unknown) => value is Answer

export interface EventQuery {
  readonly types: readonly string[]
  readonly proxy?: string | undefined
  /** Only entries with a sequence above this one. */
  readonly since?: number | undefined
  /** At most so many, the latest: 1 to 100,000. */
  readonly limit: number
}

const areProxies = isListIn('proxies', isProxy)
const areExperiments = isListIn('experiments', isExperiment)
const areFaults = isListIn('faults', isFault)
const areStressors = isListIn('stressors', isStressor)
const arePartitions = isListIn('partitions', isPartition)

/**
 * Every method throws an {@link AdminClientError}.
 *
 * @example
 * const client = new V1Client('http://127.0.0.1:8474')
 * await client.addFault('db', { type: 'latency', attributes: { latency: 500 }, ttlMs: 60_000 })
 * await client.heal()
 * await client.close()
 */
export class V1Client {
  /** The server's URL, without a slash at the end. */
  readonly url: string
  readonly #transport: Transport

  constructor(url?: string, options?: AdminClientOptions) {
    this.#transport = new Transport(url, options)
    this.url = this.#transport.url
  }

  // ---- proxies and faults ------------------------------------------------------------------------------------------

  async proxies(): Promise<readonly ProxyView[]> {
    return (await this.#call('GET', '/v1/proxies', areProxies)).proxies
  }

  proxy(name: string): Promise<ProxyView> {
    return this.#call('GET', proxyPath(name), isProxy)
  }

  createProxy(spec: ProxySpec): Promise<ProxyView> {
    return this.#call('POST', '/v1/proxies', isProxy, spec)
  }

  /** A changed address restarts the proxy and drops its connections. */
  updateProxy(name: string, change: ProxyChange): Promise<ProxyView> {
    return this.#call('PATCH', proxyPath(name), isProxy, change)
  }

  async removeProxy(name: string): Promise<void> {
    await this.#call('DELETE', proxyPath(name), isAnything)
  }

  /** Of all proxies. */
  async faults(): Promise<readonly FaultView[]> {
    return (await this.#call('GET', '/v1/faults', areFaults)).faults
  }

  async faultsOf(proxy: string): Promise<readonly FaultView[]> {
    return (await this.#call('GET', faultsPath(proxy), areFaults)).faults
  }

  addFault(proxy: string, spec: FaultSpec): Promise<FaultView> {
    return this.#call('POST', faultsPath(proxy), isFault, spec)
  }

  fault(proxy: string, name: string): Promise<FaultView> {
    return this.#call('GET', faultPath(proxy, name), isFault)
  }

  /** Attributes are merged into the present ones, a match replaces the present one. */
  updateFault(proxy: string, name: string, change: FaultChange): Promise<FaultView> {
    return this.#call('PATCH', faultPath(proxy, name), isFault, change)
  }

  async removeFault(proxy: string, name: string): Promise<void> {
    await this.#call('DELETE', faultPath(proxy, name), isAnything)
  }

  /** By its id, which no other fault ever has. */
  changeFault(id: string, change: FaultChange): Promise<FaultView> {
    return this.#call('PATCH', faultIdPath(id), isFault, change)
  }

  async endFault(id: string): Promise<void> {
    await this.#call('DELETE', faultIdPath(id), isAnything)
  }

  // ---- partitions --------------------------------------------------------------------------------------------------

  async partitions(): Promise<readonly PartitionView[]> {
    return (await this.#call('GET', '/v1/partitions', arePartitions)).partitions
  }

  addPartition(spec: PartitionSpec): Promise<PartitionView> {
    return this.#call('POST', '/v1/partitions', isPartition, spec)
  }

  async healPartition(name: string): Promise<void> {
    await this.#call('DELETE', `/v1/partitions/${encodeURIComponent(name)}`, isAnything)
  }

  // ---- leases ------------------------------------------------------------------------------------------------------

  /** What names its id ends when it has not been renewed for so long. That of an experiment may have to wait its turn. */
  createLease(spec: LeaseSpec): Promise<LeaseView> {
    return this.#call('POST', '/v1/leases', isLease, spec)
  }

  renewLease(id: string): Promise<LeaseView> {
    return this.#call('POST', `${leasePath(id)}/renew`, isLease)
  }

  async endLease(id: string): Promise<void> {
    await this.#call('DELETE', leasePath(id), isAnything)
  }

  // ---- stressors ---------------------------------------------------------------------------------------------------

  async stressors(): Promise<readonly StressorView[]> {
    return (await this.#call('GET', '/v1/stressors', areStressors)).stressors
  }

  /** By id or name; also one of the latest that have ended. */
  stressor(idOrName: string): Promise<StressorView> {
    return this.#call('GET', stressorPath(idOrName), isStressor)
  }

  /** Resolves when it acts. With `dryRun` it is `planned`: what it would do. With a lease, it ends with that. */
  startStressor(spec: StressorSpec & { readonly lease?: string }): Promise<StressorView> {
    return this.#call('POST', '/v1/stressors', isStressor, spec)
  }

  /** By id or name. Resolves when its process is gone. */
  async stopStressor(idOrName: string): Promise<void> {
    await this.#call('DELETE', stressorPath(idOrName), isAnything)
  }

  /** @returns those that were there */
  async stopStressors(): Promise<readonly StressorView[]> {
    return (await this.#call('DELETE', '/v1/stressors', areStressors)).stressors
  }

  // ---- experiments -------------------------------------------------------------------------------------------------

  /** The latest 100, the oldest first. */
  async experiments(): Promise<readonly ExperimentView[]> {
    return (await this.#call('GET', '/v1/experiments', areExperiments)).experiments
  }

  experiment(id: string): Promise<ExperimentView> {
    return this.#call('GET', experimentPath(id), isExperiment)
  }

  /**
   * Checks an experiment, and keeps it to be started.
   *
   * @example
   * const { id } = await client.createExperiment({ scenario: 'light-network-latency', parameters: { PROXY: 'db', TARGET: url } })
   * await client.startExperiment(id)
   */
  createExperiment(spec: ExperimentSpec): Promise<ExperimentView> {
    return this.#call('POST', '/v1/experiments', isExperiment, spec)
  }

  /** What every step would do now; nothing is touched. */
  planExperiment(id: string): Promise<ExperimentPlanView> {
    return this.#call('GET', `${experimentPath(id)}/plan`, isExperimentPlan)
  }

  /** Lets it act in production; by another token than that of whoever has created it. */
  approveExperiment(id: string): Promise<ExperimentView> {
    return this.#call('POST', `${experimentPath(id)}/approve`, isExperiment)
  }

  /** Resolves when it runs, or waits for its turn. How it goes is in the {@link V1Client.feed}. */
  startExperiment(id: string): Promise<ExperimentView> {
    return this.#call('POST', `${experimentPath(id)}/start`, isExperiment)
  }

  /** Resolves when everything is reverted. */
  stopExperiment(id: string): Promise<ExperimentView> {
    return this.#call('POST', `${experimentPath(id)}/stop`, isExperiment)
  }

  /** Stops it, and forgets it. */
  async removeExperiment(id: string): Promise<void> {
    await this.#call('DELETE', experimentPath(id), isAnything)
  }

  /** The journal of one that has run. */
  experimentResults(id: string): Promise<Journal> {
    return this.#call('GET', `${experimentPath(id)}/results`, isJournal)
  }

  /** A report of one that has run. */
  experimentReport(id: string, format: 'markdown' | 'html' | 'junit' | 'prometheus'): Promise<string> {
    return this.#transport.text('GET', `${experimentPath(id)}/results?format=${format}`)
  }

  /** Whether and when the system has recovered from one that has run. */
  recovery(experimentId: string): Promise<RecoveryView> {
    return this.#call('GET', `/v1/recovery/${encodeURIComponent(experimentId)}`, isRecovery)
  }

  /** The library: scenarios, and suites of them. */
  scenarios(): Promise<ScenarioList> {
    return this.#call('GET', '/v1/scenarios', isScenarioList)
  }

  scenario(name: string): Promise<ScenarioView> {
    return this.#call('GET', `/v1/scenarios/${encodeURIComponent(name)}`, isScenario)
  }

  // ---- everything at once ------------------------------------------------------------------------------------------

  /** Removes all faults and heals all partitions. Connections go on. */
  heal(): Promise<StatusView> {
    return this.#call('POST', '/v1/heal', isStatus)
  }

  /** Heals, ends all stressors, and enables every proxy. */
  reset(): Promise<EndedView> {
    return this.#call('POST', '/v1/reset', isEnded)
  }

  /** Emergency stop: heals, kills all stressors, and has the server refuse new ones until {@link V1Client.resume}. */
  stop(): Promise<EndedView> {
    return this.#call('POST', '/v1/stop', isEnded)
  }

  resume(): Promise<StatusView> {
    return this.#call('POST', '/v1/resume', isStatus)
  }

  status(): Promise<StatusView> {
    return this.#call('GET', '/v1/status', isStatus)
  }

  /** What has happened: the latest so many entries of these types, oldest first, and how many there have been in all. */
  events({ types, proxy, since, limit }: EventQuery): Promise<EventList> {
    const query = new URLSearchParams({ types: types.join(','), limit: String(limit) })
    if (proxy) query.set('proxy', proxy)
    if (since !== undefined) query.set('since', String(since))
    return this.#call('GET', `/v1/events?${query.toString()}`, isEventList)
  }

  /** Whether an upstream answers, seen from the server. */
  dial(upstream: string): Promise<DialView> {
    return this.#call('POST', '/v1/dials', isDial, { upstream })
  }

  /** Answers if the server is well. */
  health(): Promise<unknown> {
    return this.#call('GET', '/healthz', isAnything)
  }

  /**
   * What happens from now on, or after `since`, until `signal` aborts. When the connection breaks, it is made again and
   * goes on where it was.
   */
  feed(options: FeedOptions): AsyncGenerator<FeedEntryView, void> {
    return readFeed(this.#transport, options)
  }

  /** Ends the connections to the server. */
  close(): Promise<void> {
    return this.#transport.close()
  }

  async #call<Answer>(
    method: Dispatcher.HttpMethod,
    path: string,
    isAnswer: Check<Answer>,
    body?: object,
  ): Promise<Answer> {
    const answer = await this.#transport.call(method, path, body)
    if (isAnswer(answer.body)) return answer.body
    throw this.#transport.badAnswer(`${method} ${path}`, "Faultline's API")
  }
}

function proxyPath(name: string): string {
  return `/v1/proxies/${encodeURIComponent(name)}`
}

function faultIdPath(id: string): string {
  return `/v1/faults/${encodeURIComponent(id)}`
}

function leasePath(id: string): string {
  return `/v1/leases/${encodeURIComponent(id)}`
}

function stressorPath(idOrName: string): string {
  return `/v1/stressors/${encodeURIComponent(idOrName)}`
}

function experimentPath(id: string): string {
  return `/v1/experiments/${encodeURIComponent(id)}`
}

function faultsPath(proxy: string): string {
  return `${proxyPath(proxy)}/faults`
}

function faultPath(proxy: string, name: string): string {
  return `${faultsPath(proxy)}/${encodeURIComponent(name)}`
}
