// What faults did, on record: a bounded ring of the latest injections, counters that never lose count, subscribers.
import type { Direction } from './faults/fault.ts'
import { RecordLog, type Recorded } from './record-log.ts'

export interface Injection extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly proxy: string
  /** The connection's number on its proxy, from 1; 0 for what was done to the proxy as a whole. */
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

export const DEFAULT_INJECTION_LOG_ENTRIES = 10_000

export class InjectionLog extends RecordLog<Injection> {
  readonly #countsByProxyAndType = new Map<string, Map<string, number>>()

  /** @param capacity how many injections are kept; older ones are forgotten, counters are not */
  constructor(capacity: number = DEFAULT_INJECTION_LOG_ENTRIES) {
    super(capacity)
  }

  override append(entry: Omit<Injection, 'sequence'>): void {
    super.append(entry)
    let counts = this.#countsByProxyAndType.get(entry.proxy)
    if (!counts) this.#countsByProxyAndType.set(entry.proxy, (counts = new Map<string, number>()))
    counts.set(entry.type, (counts.get(entry.type) ?? 0) + 1)
  }

  /** Kept injections that pass the filter, oldest first. */
  entries({ proxy, fault, since, limit }: InjectionFilter = {}): Injection[] {
    return this.select(
      (entry) => (proxy === undefined || entry.proxy === proxy) && (fault === undefined || entry.fault === fault),
      since,
      limit,
    )
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
