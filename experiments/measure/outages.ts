// When a service was down, as its probes saw it: outages, detection, mean time to recovery, uptime.
import type { Attempt, Outage, Span } from '../model.ts'

/** How many attempts in a row it takes. */
export interface OutageRule {
  /** Failures (dropped ones are) to begin an outage. Default 3. */
  readonly failures?: number
  /** Good ones to end it. Default 5. */
  readonly successes?: number
}

const DEFAULT_FAILURES = 3
const DEFAULT_SUCCESSES = 5

/** When it was known how an attempt went. */
export function endOf({ intendedMs, latencyMs }: Attempt): number {
  return intendedMs + latencyMs
}

/**
 * Outages of one probe. One begins with the start of the first of so many failures in a row. It ends with the first
 * answer of so many good ones in a row: their starts don't do, as an attempt that starts late in an outage and waits
 * for its end is a good one.
 *
 * @param attempts of one probe, in the order of their starts
 */
export function findOutages(attempts: readonly Attempt[], rule: OutageRule = {}): Outage[] {
  const { failures = DEFAULT_FAILURES, successes = DEFAULT_SUCCESSES } = rule
  const outages: Outage[] = []
  let fromMs: number | undefined
  let row: Attempt[] = []
  for (const attempt of attempts) {
    const counts = (attempt.outcome === 'good') === (fromMs !== undefined)
    row = counts ? [...row, attempt] : []
    const [first] = row
    if (!first) continue
    if (fromMs === undefined && row.length >= failures) {
      fromMs = first.intendedMs
      row = []
    } else if (fromMs !== undefined && row.length >= successes) {
      outages.push({ fromMs, untilMs: Math.min(...row.map(endOf)) })
      fromMs = undefined
      row = []
    }
  }
  return fromMs === undefined ? outages : [...outages, { fromMs }]
}

/** A whole is down while any of its parts is. */
export function uniteOutages(parts: readonly (readonly Outage[])[]): Outage[] {
  const united: { fromMs: number; untilMs?: number }[] = []
  for (const outage of parts.flat().sort((a, b) => a.fromMs - b.fromMs)) {
    const last = united.at(-1)
    if (!last || (last.untilMs !== undefined && last.untilMs < outage.fromMs)) united.push({ ...outage })
    else if (outage.untilMs === undefined) delete last.untilMs
    else if (last.untilMs !== undefined) last.untilMs = Math.max(last.untilMs, outage.untilMs)
  }
  return united
}

/**
 * From when a fault was applied until the first failure was known, in milliseconds. Null: none was.
 *
 * @param attempts in any order
 */
export function detectionTime(attempts: readonly Attempt[], appliedMs: number): number | null {
  const known = attempts.filter(({ outcome }) => outcome !== 'good').map(endOf)
  const earliestMs = known.filter((ms) => ms >= appliedMs).reduce((a, b) => Math.min(a, b), Infinity)
  return earliestMs === Infinity ? null : earliestMs - appliedMs
}

/** Mean time to recovery. */
export interface MeanTimeToRecovery {
  /** Of outages that have ended; null if none has. No outage is no zero. */
  readonly meanMs: number | null
  /** Outages that have ended. */
  readonly n: number
  /** Outages that had not when watching did. */
  readonly censored: number
  /** What the mean is at least, with what was seen of the censored ones. Null without any outage. */
  readonly atLeastMs: number | null
}

/** @param watchedUntilMs when watching ended */
export function meanTimeToRecovery(outages: readonly Outage[], watchedUntilMs: number): MeanTimeToRecovery {
  const lengths = outages.map(({ fromMs, untilMs = watchedUntilMs }) => untilMs - fromMs)
  const ended = lengths.filter((_, index) => outages[index]?.untilMs !== undefined)
  return { meanMs: mean(ended), n: ended.length, censored: outages.length - ended.length, atLeastMs: mean(lengths) }
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** The share of a span in which no outage was, by time. Null for an empty span. */
export function uptime(outages: readonly Outage[], { fromMs, untilMs }: Span): number | null {
  const spanMs = untilMs - fromMs
  if (spanMs <= 0) return null
  const downMs = outages.reduce((sum, outage) => {
    const overlapMs = Math.min(outage.untilMs ?? untilMs, untilMs) - Math.max(outage.fromMs, fromMs)
    return sum + Math.max(0, overlapMs)
  }, 0)
  return 1 - downMs / spanMs
}
