import type { Verdict } from '../../model.ts'
import { formatNumber, plural } from '../figures.ts'
import { formatInterval, formatLimit, sloKind } from '../slo.ts'
import type { HintRule } from './hint.ts'

/** Of the normal distribution, for 95 % confidence. */
const Z = 1.96
/** More is not said: the figure is too near to its limit for any run. */
const MOST_ATTEMPTS = 1_000_000

export const tooFewAttempts: HintRule = {
  name: 'too-few-attempts',
  about: 'run',
  cause: 'Too little was measured for a decision: what the figure may truly be is on both sides of its limit.',
  next: ['Let the phases last longer or raise the rate of the probes, and repeat; the interval gets narrower.'],
  evidence({ journal }) {
    return journal.verdicts.flatMap((verdict) => {
      if (verdict.result !== 'inconclusive') return []
      const { label } = sloKind(verdict.slo)
      if (verdict.interval === undefined) return [`${label}: ${verdict.why}`]
      const needed = attemptsNeeded(verdict)
      const more = needed === undefined ? '' : `; about ${formatNumber(needed)} attempts would decide it`
      const seen = `${formatInterval(verdict)} by ${plural(verdict.n, 'sample')}, limit ${formatLimit(verdict)}`
      return [`${label}: ${seen}${more}`]
    })
  },
}

/**
 * How many attempts bring the limit to an end of a share's interval, if the share stays as it is. By Wilson's score
 * test, whose interval ends where (share − limit)² = z² · limit · (1 − limit) / n.
 */
function attemptsNeeded({ slo, measured, threshold, n }: Verdict): number | undefined {
  if (sloKind(slo).unit !== 'share' || measured === null || measured === threshold) return undefined
  const needed = Math.ceil((Z ** 2 * threshold * (1 - threshold)) / (measured - threshold) ** 2)
  return needed > n && needed <= MOST_ATTEMPTS ? needed : undefined
}
