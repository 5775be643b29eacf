// Verdicts on latencies: a percentile against a threshold, and what a percentile has become longer by.
import type { Random } from '../../proxy/random.ts'
import type { Attempt, Verdict } from '../model.ts'
import { estimateDifference, estimateQuantile, minimalValues, type Estimate } from './bootstrap.ts'
import { duration, judge, percent } from './verdict.ts'

interface LatencySettings {
  /** Default: 0.95. */
  readonly quantile?: number
  readonly thresholdMs: number
  readonly random: Random
}

export interface LatencyOptions extends LatencySettings {
  /** The steady state's name. */
  readonly slo: string
  /** In the order of their starts. */
  readonly attempts: readonly Attempt[]
}

export interface DegradationOptions extends LatencySettings {
  /** Default: `latencyDegradation`. */
  readonly slo?: string
  /** In the order of their starts, as `during`. */
  readonly before: readonly Attempt[]
  readonly during: readonly Attempt[]
}

/** Whether a percentile of all attempts that started is at most the threshold. */
export function judgeLatency({ slo, attempts, quantile = 0.95, thresholdMs, random }: LatencyOptions): Verdict {
  const series = new Series(attempts, quantile)
  const found = estimateQuantile(series.latencies, { quantile, random, blockLength: series.blockLength })
  const name = nameOf(quantile)
  const seen = found ? `the ${name} of ${series.n} attempts was ${duration(found.measured)}` : 'no attempt started'
  return conclude(slo, found, [series], thresholdMs, seen, name)
}

/** Whether a percentile of all attempts that started has become longer by at most the threshold. */
export function judgeDegradation(options: DegradationOptions): Verdict {
  const { slo = 'latencyDegradation', before, during, quantile = 0.95, thresholdMs, random } = options
  const [first, second] = [new Series(before, quantile), new Series(during, quantile)]
  const blockLength = Math.max(first.blockLength, second.blockLength)
  const found = estimateDifference(first.latencies, second.latencies, { quantile, random, blockLength })
  const name = nameOf(quantile)
  const change = found && `${duration(Math.abs(found.measured))} ${found.measured < 0 ? 'shorter' : 'longer'}`
  const seen = found
    ? `the ${name} was ${change} over ${second.n} attempts than over ${first.n} before`
    : 'no attempt started before or during the failure'
  return conclude(slo, found, [first, second], thresholdMs, seen, name)
}

/** Attempts as what the bootstrap takes. */
class Series {
  /** Of those that started. */
  readonly latencies: readonly number[]
  /** A second's attempts, if there are many. */
  readonly blockLength: number
  readonly droppedShare: number
  readonly isTooShort: boolean

  constructor(attempts: readonly Attempt[], quantile: number) {
    const started = attempts.filter(({ outcome }) => outcome !== 'dropped')
    this.latencies = started.map(({ latencyMs }) => latencyMs)
    this.droppedShare = attempts.length === 0 ? 0 : 1 - started.length / attempts.length
    this.isTooShort = started.length < minimalValues(quantile)
    const seconds = ((started.at(-1)?.intendedMs ?? 0) - (started[0]?.intendedMs ?? 0)) / 1000
    const aSecond = seconds >= 1 ? started.length / seconds : 1
    // At least a few blocks have to be left, or every draw would be the series itself.
    this.blockLength = Math.min(Math.max(aSecond, Math.cbrt(started.length)), Math.max(1, started.length / 5))
  }

  get n(): number {
    return this.latencies.length
  }
}

function conclude(
  slo: string,
  found: Estimate | null,
  series: readonly Series[],
  thresholdMs: number,
  seen: string,
  name: string,
): Verdict {
  const quantile = Number(name.slice(1)) / 100
  const dropped = Math.max(...series.map(({ droppedShare }) => droppedShare))
  // Dropped ones would have been among the slowest: with too many of them, nobody knows where the percentile is.
  const isKnown = dropped <= 1 - quantile
  const interval = isKnown ? (found?.interval ?? null) : null
  const bounds = interval ? ` (95 % interval ${duration(interval[0])} to ${duration(interval[1])})` : ''
  return judge({
    slo,
    measured: isKnown ? (found?.measured ?? null) : null,
    threshold: thresholdMs,
    interval,
    n: series.reduce((sum, { n }) => sum + n, 0),
    allowed: 'at most',
    seen: seen + bounds,
    thresholdText: duration(thresholdMs),
    doubt: doubtOf(isKnown, dropped, quantile, series),
  })
}

function doubtOf(isKnown: boolean, dropped: number, quantile: number, series: readonly Series[]): string {
  if (!isKnown)
    return `${percent(dropped)} of the attempts were dropped: where its ${nameOf(quantile)} is can't be known`
  if (series.some(({ isTooShort }) => isTooShort)) {
    return `it takes at least ${minimalValues(quantile)} attempts to say anything of a ${nameOf(quantile)}`
  }
  return 'that is within the interval'
}

function nameOf(quantile: number): string {
  return `p${Number((quantile * 100).toFixed(3))}`
}
