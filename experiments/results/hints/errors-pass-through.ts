import { median } from 'simple-statistics'
import type { SecondRecord } from '../../model.ts'
import { formatDuration, formatShare } from '../figures.ts'
import { badShare } from './facts.ts'
import type { HintRule } from './hint.ts'
import { MANY_ACTS } from './retries-amplify.ts'

const FEW = 0.005
/** Above it is more than a part of the calls that fail. */
const ALMOST_ALL = 0.9
/** A retry costs at least the time of one more call. */
const HARDLY_SLOWER = 1.2

export const errorsPassThrough: HintRule = {
  name: 'errors-pass-through',
  about: ['errors'],
  cause: 'Errors of a dependency go straight through to the user: no sign of a retry, nor of a fallback.',
  next: [
    'Retry what is safe to repeat, once or twice, with a budget and jitter.',
    'Repeat with the same share of errors: with retries, good answers become slower and failed ones rare.',
  ],
  evidence({ faults, before }) {
    return faults.flatMap(({ name, seconds, actsPerAttempt }) => {
      const [share, usual] = [badShare(seconds), badShare(before) ?? 0]
      const [now, once] = [middle(seconds, 'goodP50Ms'), middle(before, 'goodP50Ms')]
      // Failures that took long are none that go straight through.
      const all = middle(seconds, 'p50Ms')
      if (share === null || now === undefined || once === undefined || all === undefined) return []
      if (share - usual < FEW || share >= ALMOST_ALL || Math.max(now, all) > once * HARDLY_SLOWER) return []
      if ((actsPerAttempt ?? 0) >= MANY_ACTS) return []
      const p50s = `${formatDuration(once)} in the baseline, ${formatDuration(now)} now`
      return [`${formatShare(share)} failed during ${name}, while good answers took as long as ever (p50 ${p50s})`]
    })
  },
}

/** Of the seconds' medians; undefined without any. */
function middle(seconds: readonly SecondRecord[], field: 'p50Ms' | 'goodP50Ms'): number | undefined {
  const p50s = seconds.flatMap(({ [field]: p50Ms }) => (p50Ms === null ? [] : [p50Ms]))
  return p50s.length === 0 ? undefined : median(p50s)
}
