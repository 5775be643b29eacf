// How often faults act, from their counts now and a while ago.
import type { ProxyView } from '../../admin/client/v1-answers.ts'

interface Counted {
  readonly injections: number
  readonly proxy: string
}

/** Over less, a single act would look like many. */
const MIN_WINDOW_MS = 900

export class Rates {
  #counts: ReadonlyMap<string, Counted> = new Map()
  #atMs: number | undefined
  #perSecond: ReadonlyMap<string, number> = new Map()

  /** @param nowMs on a clock that is never set */
  update(proxies: readonly ProxyView[], nowMs: number): void {
    const elapsedMs = this.#atMs === undefined ? Infinity : nowMs - this.#atMs
    if (elapsedMs < MIN_WINDOW_MS) return
    const counts = new Map<string, Counted>()
    const acts = new Map<string, number>()
    for (const { name: proxy, faults } of proxies) {
      for (const { id, injections } of faults) {
        counts.set(id, { injections, proxy })
        // A fault that was not there before has made all its acts since. Another server begins anew.
        const since = injections - (this.#counts.get(id)?.injections ?? 0)
        acts.set(proxy, (acts.get(proxy) ?? 0) + Math.max(0, since))
      }
    }
    this.#counts = counts
    this.#atMs = nowMs
    if (elapsedMs === Infinity) return
    this.#perSecond = new Map([...acts].map(([proxy, count]) => [proxy, (1000 * count) / elapsedMs]))
  }

  /** Acts a second of the faults on a proxy; on all of them without a name. */
  of(proxy?: string): number {
    if (proxy !== undefined) return this.#perSecond.get(proxy) ?? 0
    return [...this.#perSecond.values()].reduce((sum, perSecond) => sum + perSecond, 0)
  }
}
