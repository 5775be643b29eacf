// Keeps proxies and faults in a file, from which a server that starts again makes them again.
import type { NetworkEventType } from '../../proxy/event-log.ts'
import type { Network, Partition, PartitionSpec, ProxySpec } from '../../proxy/index.ts'
import { leftMs, ownFaults, specOfFault, specOfProxy } from './snapshot.ts'
import { replaceFile, type Expiring, type State } from './state-file.ts'

export interface StateKeeperOptions {
  readonly path: string
  readonly network: Network
  /** What the configuration file said when it last took hold. Default: there is none. */
  config?(): readonly ProxySpec[]
  /** It could not be saved; the next change tries again. */
  onError(error: Error): void
}

/** Changes within so many milliseconds are saved together. What is newer may be lost when the server is killed. */
const SAVE_DELAY_MS = 100

/** What changes nothing that is kept. */
const OTHER_EVENTS: ReadonlySet<NetworkEventType> = new Set(['lease_created', 'lease_ended'])

export class StateKeeper {
  readonly #options: StateKeeperOptions
  readonly #unsubscribe: () => void
  #timer: NodeJS.Timeout | undefined
  #saved = ''
  /** One save after the other: they share a temporary file. */
  #saving: Promise<void> = Promise.resolve()

  private constructor(options: StateKeeperOptions) {
    this.#options = options
    this.#unsubscribe = options.network.changes.subscribe(({ type }) => {
      if (!OTHER_EVENTS.has(type)) this.saveSoon()
    })
  }

  /** Saves once, and from now on after each change. @throws if the file can't be written */
  static async start(options: StateKeeperOptions): Promise<StateKeeper> {
    const keeper = new StateKeeper(options)
    try {
      await keeper.#save()
    } catch (error) {
      keeper.#unsubscribe()
      throw error
    }
    return keeper
  }

  /** Has something saved that the network does not tell of. */
  saveSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#saving = this.#saving.then(() => this.#trySave())
    }, SAVE_DELAY_MS).unref()
  }

  /**
   * Saves what has not been saved, for the last time. To be called before the network is healed and closed: that is not
   * what is to be kept.
   */
  async close(): Promise<void> {
    this.#unsubscribe()
    clearTimeout(this.#timer)
    await this.#saving
    await this.#trySave()
  }

  async #trySave(): Promise<void> {
    try {
      await this.#save()
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async #save(): Promise<void> {
    const { path, network } = this.#options
    const text = `${JSON.stringify(stateOf(network, this.#options.config?.() ?? []), null, 2)}\n`
    if (text === this.#saved) return
    await replaceFile(path, text)
    this.#saved = text
  }
}

/** What is to be there again. What leases hold is not: whoever holds it has to ask the new server. */
function stateOf(network: Network, config: readonly ProxySpec[]): State {
  return {
    version: 1,
    stopped: network.stopped,
    config,
    proxies: [...network.proxies]
      .filter(({ lease }) => lease === undefined)
      .map((proxy) => ({
        ...specOfProxy(network, proxy),
        faults: ownFaults(network, proxy)
          .filter(({ lease }) => lease === undefined)
          .map((fault) => withEnd(network, specOfFault(fault, network.clock.now()), fault.expiresMs)),
      })),
    partitions: network.partitions
      .filter(({ lease }) => lease === undefined)
      .map((partition) => withEnd(network, specOfPartition(partition), partition.expiresMs)),
  }
}

function specOfPartition({ name, mode, cuts }: Partition): PartitionSpec {
  return { name, mode, cuts }
}

/** In place of what is left of its time, when that is up: this still means something in the next process. */
function withEnd<Spec extends object>({ clock }: Network, spec: Spec, expiresMs: number | undefined): Spec & Expiring {
  if (expiresMs === undefined) return spec
  const expiresAtMs = Math.round(clock.wallTimeMs() + leftMs(expiresMs, clock.now()))
  return { ...spec, ttlMs: undefined, expiresAtMs }
}
