// Verdicts on shares: error rate and availability, and any other share of good attempts.
import type { Verdict } from '../model.ts'
import { compare, judge, percent, type Allowed } from './verdict.ts'
import { wilsonInterval } from './wilson.ts'

export interface AttemptCounts {
  readonly attempts: number
  readonly good: number
}

/** @param threshold the share of attempts that may fail: 0.05 */
export function judgeErrorRate(counts: AttemptCounts, threshold: number, slo = 'errorRate'): Verdict {
  return judgeShare(slo, counts.attempts - counts.good, counts.attempts, threshold, 'at most', 'failed')
}

/** @param threshold the share of attempts that has to be good: 0.95 */
export function judgeAvailability(counts: AttemptCounts, threshold: number, slo = 'availability'): Verdict {
  return judgeShare(slo, counts.good, counts.attempts, threshold, 'at least', 'were good')
}

function judgeShare(slo: string, hits: number, n: number, threshold: number, allowed: Allowed, what: string): Verdict {
  const interval = wilsonInterval(hits, n)
  const [low, high] = interval.map(percent)
  const measured = n === 0 ? null : hits / n
  const seen =
    measured === null
      ? 'there were no attempts'
      : `${hits} of ${n} attempts ${what}, ${percent(measured)} (95 % interval ${low} to ${high})`
  const doubt = measured === null ? 'nothing is known' : doubtOf(measured, n, threshold, allowed)
  const thresholdText = percent(threshold)
  return judge({ slo, measured, threshold, interval, n, allowed, seen, thresholdText, doubt })
}

/** Longer runs are not advised. */
const MAX_ADVISED = 1_000_000

function doubtOf(share: number, n: number, threshold: number, allowed: Allowed): string {
  const needed = attemptsNeeded(share, n, threshold, allowed)
  const far =
    needed === undefined ? 'no number of attempts would tell' : `it would take about ${needed} attempts to tell`
  return `that is within the interval: at this share ${far}`
}

/** How many attempts would give a verdict, if the share stays what it is. */
function attemptsNeeded(share: number, n: number, threshold: number, allowed: Allowed): number | undefined {
  const isEnough = (count: number): boolean =>
    compare(wilsonInterval(share * count, count), threshold, allowed) !== 'inconclusive'
  if (!isEnough(MAX_ADVISED)) return undefined
  let [few, enough] = [n, MAX_ADVISED]
  while (enough - few > 1) {
    const middle = Math.floor((few + enough) / 2)
    if (isEnough(middle)) enough = middle
    else few = middle
  }
  return enough
}
