import { formatShare, plural } from '../figures.ts'
import { badShare, total } from './facts.ts'
import type { HintRule } from './hint.ts'

const ALMOST_ALL = 0.9
const FEWEST_ATTEMPTS = 10

export const noFallback: HintRule = {
  name: 'no-fallback',
  about: ['errors'],
  cause: 'A hard dependency: with it gone, the service answers nothing at all.',
  next: [
    'Decide what can be answered without it: cached or partial data, or a queue for later.',
    'Repeat with the fault on a part of the calls (`toxicity` or `probability`): does it fail for those alone?',
  ],
  evidence({ faults }) {
    return faults.flatMap(({ name, seconds }) => {
      const share = badShare(seconds)
      const { attempts } = total(seconds)
      if (share === null || share < ALMOST_ALL || attempts < FEWEST_ATTEMPTS) return []
      return [`${formatShare(share)} of ${plural(attempts, 'attempt')} during ${name} were not good`]
    })
  },
}
