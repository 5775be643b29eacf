// Counts and latencies of any number of attempts. Tallies are merged, percentiles never: those of parts say nothing of
// the whole.
import { build, type Histogram } from 'hdr-histogram-js'
import type { Attempt, Figures } from '../model.ts'

/** HDR histograms count in integers; three digits of a microsecond's multiples are exact to 0.1 %. */
const UNITS_PER_MS = 1000
const SIGNIFICANT_DIGITS = 3
/** What is longer makes a histogram grow. */
const EXPECTED_MAX_MS = 60_000

export class Tally {
  readonly #good = newHistogram()
  readonly #failed = newHistogram()
  #dropped = 0

  add({ outcome, latencyMs }: Attempt): void {
    if (outcome === 'dropped') this.#dropped++
    else (outcome === 'good' ? this.#good : this.#failed).recordValue(Math.max(0, Math.round(latencyMs * UNITS_PER_MS)))
  }

  merge(other: Tally): void {
    this.#good.add(other.#good)
    this.#failed.add(other.#failed)
    this.#dropped += other.#dropped
  }

  /** Percentiles are of attempts that started: a dropped one has no latency. */
  figures(): Figures {
    const good = this.#good.totalCount
    const failed = this.#failed.totalCount
    let all = this.#good
    if (failed > 0) {
      all = newHistogram()
      all.add(this.#good)
      all.add(this.#failed)
    }
    return {
      attempts: good + failed + this.#dropped,
      good,
      failed,
      dropped: this.#dropped,
      p50Ms: percentile(all, 50),
      p95Ms: percentile(all, 95),
      p99Ms: percentile(all, 99),
      goodP50Ms: percentile(this.#good, 50),
      goodP95Ms: percentile(this.#good, 95),
      goodP99Ms: percentile(this.#good, 99),
    }
  }
}

function newHistogram(): Histogram {
  return build({
    // Packed ones are small, and take milliseconds to be merged.
    bitBucketSize: 32,
    autoResize: true,
    lowestDiscernibleValue: 1,
    highestTrackableValue: EXPECTED_MAX_MS * UNITS_PER_MS,
    numberOfSignificantValueDigits: SIGNIFICANT_DIGITS,
    useWebAssembly: false,
  })
}

function percentile(histogram: Histogram, percent: number): number | null {
  return histogram.totalCount === 0 ? null : histogram.getValueAtPercentile(percent) / UNITS_PER_MS
}
