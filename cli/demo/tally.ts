// Counts what became of orders: how many, how long, and what went wrong.

/** What was seen between two looks. */
export interface Seen {
  readonly placed: number
  /** How many orders failed, by what went wrong. */
  readonly failed: ReadonlyMap<string, number>
  /** Orders per second that were placed. */
  readonly ordersPerSecond: number
  /** Of all orders, also those that failed, in milliseconds. Undefined: there was none. */
  readonly p95Ms: number | undefined
}

export class Tally {
  #placed = 0
  #failed = new Map<string, number>()
  #durationsMs: number[] = []
  #sinceMs = performance.now()

  placed(durationMs: number): void {
    this.#placed += 1
    this.#durationsMs.push(durationMs)
  }

  /** @param reason few words: the same ones are counted together */
  failed(reason: string, durationMs: number): void {
    this.#failed.set(reason, (this.#failed.get(reason) ?? 0) + 1)
    this.#durationsMs.push(durationMs)
  }

  /** What has come together since the last look, or since the beginning. Counts from zero afterwards. */
  take(): Seen {
    const nowMs = performance.now()
    const seconds = (nowMs - this.#sinceMs) / 1000
    const seen = {
      placed: this.#placed,
      failed: this.#failed,
      ordersPerSecond: seconds === 0 ? 0 : this.#placed / seconds,
      p95Ms: percentile95(this.#durationsMs),
    }
    this.#placed = 0
    this.#failed = new Map()
    this.#durationsMs = []
    this.#sinceMs = nowMs
    return seen
  }
}

/** The smallest value that 95 % of all values do not exceed (nearest rank). */
function percentile95(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.ceil(sorted.length * 0.95) - 1]
}

export function failures({ failed }: Seen): number {
  return [...failed.values()].reduce((sum, count) => sum + count, 0)
}

/** `39 orders/s  p95 12 ms  no errors`, in columns. */
export function seenText(seen: Seen): string {
  const rate = `${Math.round(seen.ordersPerSecond)} orders/s`.padStart(12)
  const p95 = `p95 ${seen.p95Ms === undefined ? '-' : Math.round(seen.p95Ms)} ms`.padEnd(12)
  return `${rate}  ${p95}  ${errorsText(seen)}`
}

function errorsText({ failed }: Seen): string {
  if (failed.size === 0) return 'no errors'
  return [...failed].map(([reason, count]) => `${count} × ${reason}`).join(', ')
}
