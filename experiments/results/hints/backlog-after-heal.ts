import { formatDuration } from '../figures.ts'
import type { HintRule } from './hint.ts'

const LONG_MS = 1000

export const backlogAfterHeal: HintRule = {
  name: 'backlog-after-heal',
  about: ['recovery'],
  cause:
    'Answers were back soon but stayed slow or unsteady: a backlog was worked off, or all clients came back at once.',
  next: [
    'Drop work whose caller has gone; spread reconnects and retries by jitter.',
    'Repeat at half the rate: a backlog is gone in less than half the time.',
  ],
  evidence({ journal: { recoveryMs } }) {
    const { first, stable } = recoveryMs
    if (first === null || stable === null || stable - first < LONG_MS || first >= stable / 2) return []
    return [
      `the first good answer came after ${formatDuration(first)}, stable ones in the baseline’s band after ${formatDuration(stable)}`,
    ]
  },
}
