// What a percentile of a series may be in truth, by the moving-block bootstrap: the series is drawn again and again from
// blocks of its own. Blocks keep what is alike from one moment to the next: a stall makes a hundred slow attempts, not one.
// Source: H. R. Künsch, "The jackknife and the bootstrap for general stationary observations", Ann. Statist. 17 (1989).
import type { Random } from '../../proxy/random.ts'
import type { Interval } from './wilson.ts'

export interface BootstrapOptions {
  /** E.g. 0.95. */
  readonly quantile: number
  readonly random: Random
  /** Values that stay together. Default: the cube root of their number. */
  readonly blockLength?: number
  /** Default 1000. */
  readonly resamples?: number
}

export interface Estimate {
  readonly measured: number
  /** 95 %. Null: there are too few values for one, see {@link minimalValues}. */
  readonly interval: Interval | null
}

const DEFAULT_RESAMPLES = 1000

/**
 * So many independent values it takes for the largest of them to be above the true quantile with 97.5 %: 72 for p95, 368
 * for p99. With fewer, no draw from them could show how high it may be.
 */
export function minimalValues(quantile: number): number {
  return Math.ceil(Math.log(0.025) / Math.log(Math.max(quantile, 1 - quantile)))
}

/** @param series in the order of time. Null: it is empty. */
export function estimateQuantile(series: readonly number[], options: BootstrapOptions): Estimate | null {
  return estimate([series], ([only = 0]) => only, options)
}

/** By how much the second quantile is above the first. Null: a series is empty. */
export function estimateDifference(
  before: readonly number[],
  during: readonly number[],
  options: BootstrapOptions,
): Estimate | null {
  return estimate([before, during], ([first = 0, second = 0]) => second - first, options)
}

function estimate(
  series: readonly (readonly number[])[],
  combine: (quantiles: readonly number[]) => number,
  { quantile, random, blockLength, resamples = DEFAULT_RESAMPLES }: BootstrapOptions,
): Estimate | null {
  if (series.some((values) => values.length === 0)) return null
  const resamplers = series.map((values) => new Resampler(values, quantile, blockLength))
  const measured = combine(resamplers.map((resampler) => resampler.measured()))
  if (series.some((values) => values.length < minimalValues(quantile))) return { measured, interval: null }
  const drawn = Float64Array.from({ length: resamples }, () => combine(resamplers.map((each) => each.draw(random))))
  drawn.sort()
  const at = (share: number): number => drawn[Math.round(share * (resamples - 1))] ?? measured
  return { measured, interval: [at(0.025), at(0.975)] }
}

/** Draws again by counting how often each distinct value comes, so that nothing has to be sorted a thousand times. */
class Resampler {
  readonly #distinct: Float64Array
  /** For each value of the series, which of the distinct ones it is. */
  readonly #codes: Uint32Array
  readonly #counts: Uint32Array
  readonly #rank: number
  readonly #blockLength: number

  constructor(series: readonly number[], quantile: number, blockLength = Math.ceil(Math.cbrt(series.length))) {
    this.#distinct = Float64Array.from(new Set(series)).sort()
    const codeOf = new Map(Array.from(this.#distinct, (value, code) => [value, code]))
    this.#codes = Uint32Array.from(series, (value) => codeOf.get(value) ?? 0)
    this.#counts = new Uint32Array(this.#distinct.length)
    this.#rank = Math.max(1, Math.ceil(quantile * series.length))
    this.#blockLength = Math.max(1, Math.min(Math.round(blockLength), series.length))
  }

  measured(): number {
    this.#counts.fill(0)
    for (const code of this.#codes) this.#count(code)
    return this.#quantile()
  }

  draw(random: Random): number {
    this.#counts.fill(0)
    const { length } = this.#codes
    const starts = length - this.#blockLength + 1
    for (let left = length; left > 0; left -= this.#blockLength) {
      const from = Math.floor(random.next() * starts)
      const block = this.#codes.subarray(from, from + Math.min(left, this.#blockLength))
      for (const code of block) this.#count(code)
    }
    return this.#quantile()
  }

  #count(code: number): void {
    this.#counts[code] = (this.#counts[code] ?? 0) + 1
  }

  /** By nearest rank, as HDR histograms have it. */
  #quantile(): number {
    let below = 0
    for (const [code, count] of this.#counts.entries()) {
      below += count
      if (below >= this.#rank) return this.#distinct[code] ?? Number.NaN
    }
    return Number.NaN
  }
}
