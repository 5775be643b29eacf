import { formatDuration } from '../figures.ts'
import { isTimeout } from './calls-hang.ts'
import type { HintRule } from './hint.ts'

/** Shorter waits are within what people call a time limit. */
const LONG_MS = 1000
const TIMES_SLOWER = 10

export const noClientTimeout: HintRule = {
  name: 'no-client-timeout',
  about: ['latency'],
  cause: 'No timeout seen: the service waited for its slow dependency as long as it took, and then went on.',
  next: [
    'Set a timeout on the calls to this dependency, near its usual p99.',
    'Repeat with a longer latency: if answers become slower by as much, nothing limits the wait.',
  ],
  evidence({ journal, changes }) {
    return changes.flatMap(({ probe, baseline: { goodP99Ms: before }, failure: { goodP99Ms: during } }) => {
      if (before === null || during === null) return []
      if (during < Math.max(LONG_MS, TIMES_SLOWER * before)) return []
      if (Object.keys(journal.reasons?.[probe] ?? {}).some(isTimeout)) return []
      const [usual, slow] = [formatDuration(before), formatDuration(during)]
      return [
        `${probe}: good answers took up to ${slow} (p99, ${usual} in the baseline), and none ran into a time limit`,
      ]
    })
  },
}
