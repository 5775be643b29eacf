// Verdicts on times until a service is well again. Their intervals are what probes leave open: between two of them nobody
// looked.
import type { MeanTimeToRecovery } from '../measure/outages.ts'
import { STABLE_ATTEMPTS, type Recovery } from '../measure/recovery.ts'
import type { Verdict } from '../model.ts'
import { duration, judge, verdict } from './verdict.ts'
import type { Interval } from './wilson.ts'

/**
 * @param probeIntervalMs the longest time between two attempts of a probe
 * @returns also `pass` where no outage was: there was nothing to recover from
 */
export function judgeMttr(mttr: MeanTimeToRecovery, thresholdMs: number, probeIntervalMs: number): Verdict {
  const { meanMs, n, censored, atLeastMs } = mttr
  const common = { slo: 'mttr', threshold: thresholdMs, measured: meanMs, n }
  if (atLeastMs === null) return verdict('pass', { ...common, why: 'there was no outage, so nothing had to recover' })
  if (censored > 0 || meanMs === null) {
    const seen = `${censored} of ${outages(n + censored)} did not end while it was watched`
    const least = `the mean is at least ${duration(atLeastMs)}`
    const limit = `at most ${duration(thresholdMs)} is allowed`
    if (atLeastMs > thresholdMs) return verdict('fail', { ...common, why: `${seen}, and ${least}; ${limit}` })
    return verdict('inconclusive', { ...common, why: `${seen}; ${least}, ${limit}, and how long it is can't be known` })
  }
  return judge({
    ...common,
    interval: around(meanMs, probeIntervalMs),
    allowed: 'at most',
    seen: `${outages(n)} took ${duration(meanMs)} ${n === 1 ? '' : 'on average '}to end`,
    thresholdText: duration(thresholdMs),
    doubt: `with a probe every ${duration(probeIntervalMs)} that is too close to tell`,
  })
}

export interface RecoveryTimeOptions {
  readonly recovery: Recovery
  readonly thresholdMs: number
  /** The longest time between two attempts of a probe. */
  readonly probeIntervalMs: number
  /** So long it was watched after the last fault was removed. Null: no fault was removed. */
  readonly watchedMs: number | null
  /** So many attempts each probe had in that time, the least of them. */
  readonly attempts: number
}

/** By the stable recovery: a first good answer may be the last one. */
export function judgeRecoveryTime(options: RecoveryTimeOptions): Verdict {
  const { recovery, thresholdMs, probeIntervalMs, watchedMs, attempts } = options
  const { firstMs, stableMs } = recovery
  const common = { slo: 'recoveryTime', threshold: thresholdMs, measured: stableMs, n: attempts }
  if (watchedMs === null) {
    return verdict('inconclusive', { ...common, why: 'the fault was not removed, so nothing could recover from it' })
  }
  const first =
    firstMs === null ? 'no answer was good' : `the first good answer came ${duration(firstMs)} after the fault`
  if (stableMs === null) {
    const seen = `${first}, and within ${duration(watchedMs)} it did not stay well`
    const limit = `at most ${duration(thresholdMs)} is allowed`
    if (watchedMs > thresholdMs + probeIntervalMs && attempts >= STABLE_ATTEMPTS) {
      return verdict('fail', { ...common, why: `${seen}; ${limit}` })
    }
    const lack =
      attempts < STABLE_ATTEMPTS ? `it takes ${STABLE_ATTEMPTS} attempts` : 'that was not watched long enough'
    return verdict('inconclusive', { ...common, why: `${seen}; ${limit}, and ${lack} to tell` })
  }
  return judge({
    ...common,
    interval: around(stableMs, probeIntervalMs),
    allowed: 'at most',
    seen: `${first}, and it stayed well from ${duration(stableMs)} on`,
    thresholdText: duration(thresholdMs),
    doubt: `with a probe every ${duration(probeIntervalMs)} that is too close to tell`,
  })
}

function around(ms: number, probeIntervalMs: number): Interval {
  return [Math.max(0, ms - probeIntervalMs), ms + probeIntervalMs]
}

function outages(count: number): string {
  return count === 1 ? '1 outage' : `${count} outages`
}
