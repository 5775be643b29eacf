// What faults did, on record: a bounded ring of the latest injections, counters that never lose count, subscribers.
import type { Direction } from './faults/fault.ts'

export interface Injection {
  /** Counts up from 1 through the whole network, without gaps. */
  readonly sequence: number
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly proxy: string
  /** The connection's number on its proxy, from 1. */
  readonly connection: number
  readonly direction: Direction
  /** The fault's name and type. */
  readonly fault: string
  readonly type: string
  /** What was done: `delay`, `drop`, `close`, `reset` … as the fault's reference says. */
  readonly action: string
  /** What belongs to the action, e.g. `delayMs` and the stream's byte `offset`. */
  readonly detail: InjectionDetail
}

export type InjectionDetail = Readonly<Record<string, number | string>>

export interface InjectionFilter {
  readonly proxy?: string | undefined
  readonly fault?: string | undefined
  /** Only injections with a sequence above this one. */
  readonly since?: number | undefined
  /** At most this many, the latest ones. */
  readonly limit?: number | undefined
}

export type InjectionListener = (injection: Injection) => void

export const DEFAULT_INJECTION_LOG_ENTRIES = 10_000

export class InjectionLog {
  readonly capacity: number
  readonly #ring: Injection[] = []
  #sequence = 0
  readonly #countsByProxyAndType = new Map<string, Map<string, number>>()
  readonly #listeners = new Set<InjectionListener>()
  /** Waiting to be told to listeners. */
  readonly #untold: Injection[] = []

  /** @param capacity how many injections are kept; older ones are forgotten, counters are not */
  constructor(capacity: number = DEFAULT_INJECTION_LOG_ENTRIES) {
    this.capacity = capacity
  }

  append(entry: Omit<Injection, 'sequence'>): void {
    const injection: Injection = { sequence: ++this.#sequence, ...entry }
    this.#ring[(injection.sequence - 1) % this.capacity] = injection
    let counts = this.#countsByProxyAndType.get(entry.proxy)
    if (!counts) this.#countsByProxyAndType.set(entry.proxy, (counts = new Map<string, number>()))
    counts.set(entry.type, (counts.get(entry.type) ?? 0) + 1)
    if (this.#listeners.size > 0) this.#tell(injection)
  }

  /** All injections ever recorded, also those that the ring has forgotten. */
  get total(): number {
    return this.#sequence
  }

  /** Kept injections that pass the filter, oldest first. */
  entries(filter: InjectionFilter = {}): Injection[] {
    const { proxy, fault, since = 0, limit = this.capacity } = filter
    const found: Injection[] = []
    const oldest = Math.max(since, this.#sequence - this.capacity)
    for (let sequence = this.#sequence; sequence > oldest && found.length < limit; sequence--) {
      const injection = this.#ring[(sequence - 1) % this.capacity]
      if (!injection) break
      if (proxy !== undefined && injection.proxy !== proxy) continue
      if (fault !== undefined && injection.fault !== fault) continue
      found.push(injection)
    }
    return found.toReversed()
  }

  /**
   * Calls back for each injection, in order, right after the turn in which it was made: a listener may change faults,
   * which must not happen while bytes are on their way through them. Returns the way to stop that.
   */
  subscribe(listener: InjectionListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #tell(injection: Injection): void {
    if (this.#untold.push(injection) > 1) return
    queueMicrotask(() => {
      for (const untold of this.#untold.splice(0)) for (const listener of this.#listeners) notify(listener, untold)
    })
  }

  /** Counts by proxy and fault type since the network began, or since the proxy of that name was removed. */
  *counts(): Generator<{ proxy: string; type: string; count: number }> {
    for (const [proxy, counts] of this.#countsByProxyAndType) {
      for (const [type, count] of counts) yield { proxy, type, count }
    }
  }

  /** Drops the counters of a removed proxy, so that short-lived proxies do not pile up; its entries stay. */
  forgetProxy(proxy: string): void {
    this.#countsByProxyAndType.delete(proxy)
  }
}

/** A listener that throws must not keep others from being told: it fails on its own. */
function notify(listener: InjectionListener, injection: Injection): void {
  try {
    listener(injection)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
