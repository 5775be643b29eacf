import { formatDuration } from '../figures.ts'
import type { HintRule } from './hint.ts'

/** What is shorter is within the noise of probes. */
const LONG_MS = 1000

export const slowToNotice: HintRule = {
  name: 'slow-to-notice',
  about: ['recovery'],
  cause:
    'It took long to notice that the fault was gone: a backoff that has grown, a breaker’s wait, a cached name, ' +
    'or calls that were still waiting.',
  next: [
    'Bound the backoff and the breaker’s wait to less than the recovery time that you want.',
    'Repeat with a shorter and a longer fault: if recovery grows with it, it is a backoff.',
  ],
  evidence({ journal: { recoveryMs } }) {
    const { first, stable } = recoveryMs
    if (first === null || stable === null || first < LONG_MS || first < stable / 2) return []
    return [`the first good answer came ${formatDuration(first)} after the last fault was removed`]
  },
}
