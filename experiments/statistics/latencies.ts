// Verdicts on latencies: a percentile against a threshold, and what a percentile has become longer by.
import type { Random } from '../../proxy/random.ts'
import type { Attempt, Verdict } from '../model.ts'
import { estimateDifference, estimateQuantile, minimalValues, type Estimate } from './bootstrap.ts'
import { duration, judge, percent, verdict } from './verdict.ts'

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
  const finding = { slo, found, series: [series], quantile, thresholdMs, seen }
  return failHidden(finding) ?? conclude(finding)
}

/** Whether a percentile of all attempts that started has become longer by at most the threshold. */
export function judgeDegradation(options: DegradationOptions): Verdict {
  const { slo = 'latencyDegradation', before, during, quantile = 0.95, thresholdMs, random } = options
  const [first, second] = [new Series(before, quantile), new Series(during, quantile)]
  const blockLength = Math.max(first.blockLength, second.blockLength)
  const found = estimateDifference(first.latencies, second.latencies, { quantile, random, blockLength })
  const change = found && `${duration(Math.abs(found.measured))} ${found.measured < 0 ? 'shorter' : 'longer'}`
  const seen = found
    ? `the ${nameOf(quantile)} was ${change} over ${second.n} attempts than over ${first.n} before`
    : 'no attempt started before or during the failure'
  const finding = { slo, found, series: [first, second], quantile, thresholdMs, seen }
  // Those that are missing before would have made the difference smaller.
  const failed = isHidden(first, quantile) ? undefined : failHidden(finding)
  return failed ?? conclude(finding)
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

/** What is known of a percentile, or of a difference of two. */
interface Finding {
  readonly slo: string
  readonly found: Estimate | null
  readonly series: readonly Series[]
  readonly quantile: number
  readonly thresholdMs: number
  readonly seen: string
}

/** Dropped ones would have been among the slowest: with too many of them, nobody knows where the percentile is. */
function isHidden({ droppedShare }: Series, quantile: number): boolean {
  return droppedShare > 1 - quantile
}

/** Fails what is too long even without the dropped ones that hide how long it is. */
function failHidden({ slo, found, series, quantile, thresholdMs, seen }: Finding): Verdict | undefined {
  if (!found?.interval || !series.some((each) => isHidden(each, quantile))) return undefined
  const [lowMs] = found.interval
  if (lowMs <= thresholdMs) return undefined
  const least = `with 95 % confidence at least ${duration(lowMs)}`
  const dropped = `${percent(mostDropped(series))} of the attempts were dropped, which would have been among the slowest`
  const why = `${seen}, ${least}, and ${dropped}; at most ${duration(thresholdMs)} is allowed`
  return verdict('fail', { slo, measured: found.measured, threshold: thresholdMs, n: attemptsIn(series), why })
}

function conclude({ slo, found, series, quantile, thresholdMs, seen }: Finding): Verdict {
  const isKnown = !series.some((each) => isHidden(each, quantile))
  const interval = isKnown ? (found?.interval ?? null) : null
  const bounds = interval ? ` (95 % interval ${duration(interval[0])} to ${duration(interval[1])})` : ''
  return judge({
    slo,
    measured: isKnown ? (found?.measured ?? null) : null,
    threshold: thresholdMs,
    interval,
    n: attemptsIn(series),
    allowed: 'at most',
    seen: seen + bounds,
    thresholdText: duration(thresholdMs),
    doubt: doubtOf(isKnown, quantile, series),
  })
}

function mostDropped(series: readonly Series[]): number {
  return Math.max(...series.map(({ droppedShare }) => droppedShare))
}

function attemptsIn(series: readonly Series[]): number {
  return series.reduce((sum, { n }) => sum + n, 0)
}

function doubtOf(isKnown: boolean, quantile: number, series: readonly Series[]): string {
  if (!isKnown)
    return `${percent(mostDropped(series))} of the attempts were dropped: where its ${nameOf(quantile)} is can't be known`
  if (series.some(({ isTooShort }) => isTooShort)) {
    return `it takes at least ${minimalValues(quantile)} attempts to say anything of a ${nameOf(quantile)}`
  }
  return 'that is within the interval'
}

function nameOf(quantile: number): string {
  return `p${Number((quantile * 100).toFixed(3))}`
}
