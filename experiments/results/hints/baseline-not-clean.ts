import { formatShare, plural } from '../figures.ts'
import { badShare, total } from './facts.ts'
import type { HintRule } from './hint.ts'

const MORE_THAN_NOISE = 0.01

export const baselineNotClean: HintRule = {
  name: 'baseline-not-clean',
  about: ['errors', 'recovery'],
  cause: 'It failed before anything was broken: the faults are not all that is wrong, or a probe expects too much.',
  next: ['Find out why it fails without faults, first: nothing else here can be told apart from it.'],
  evidence({ before }) {
    const share = badShare(before)
    if (share === null || share <= MORE_THAN_NOISE) return []
    return [`${formatShare(share)} of ${plural(total(before).attempts, 'attempt')} of the baseline were not good`]
  },
}
