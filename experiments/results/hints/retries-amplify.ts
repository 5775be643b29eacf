import { formatNumber, formatShare, plural } from '../figures.ts'
import { badShare, total } from './facts.ts'
import type { HintRule } from './hint.ts'

/** Of a fault, for each attempt of a probe. More than two are hard to explain without retries. */
export const MANY_ACTS = 3
const ERRORS = 0.01

export const retriesAmplify: HintRule = {
  name: 'retries-amplify',
  about: ['errors', 'latency'],
  cause:
    'Retries amplify the load: a request that fails becomes several calls to a dependency that is in trouble already. ' +
    '(So does a request that makes several calls anyway.)',
  next: [
    'Give retries a budget, back off with jitter, and retry on one layer only.',
    'Run the scenario “retry storm”, and compare the calls that reach the dependency with those of the baseline.',
  ],
  evidence({ faults }) {
    return faults.flatMap(({ name, seconds, actsPerAttempt }) => {
      const share = badShare(seconds)
      if (share === null || share < ERRORS || actsPerAttempt === null || actsPerAttempt < MANY_ACTS) return []
      const attempts = plural(total(seconds).attempts, 'attempt')
      const acts = formatNumber(Number(actsPerAttempt.toFixed(1)))
      return [`${name} acted ${acts} times for each of ${attempts}, of which ${formatShare(share)} failed all the same`]
    })
  },
}
