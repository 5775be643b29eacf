import { formatDuration } from '../figures.ts'
import type { HintRule } from './hint.ts'

const WORTH_TELLING_MS = 20
/** Of the p50's growth to the p99's. */
const ABOUT_THE_SAME = 0.7

export const latencyPassesThrough: HintRule = {
  name: 'latency-passes-through',
  about: ['latency'],
  cause: 'Every request waits for the slow dependency: it became slower for all by about the same.',
  next: [
    'Take the call out of the path of the answer: cache, ask in parallel, or answer first and call later.',
    'Repeat with twice the latency: a growth of more than twice means that calls are made one after another.',
  ],
  evidence({ changes }) {
    return changes.flatMap(({ probe, baseline, failure }) => {
      const p50 = change(baseline.goodP50Ms, failure.goodP50Ms)
      const p99 = change(baseline.goodP99Ms, failure.goodP99Ms)
      if (p50 === null || p99 === null || p50 < WORTH_TELLING_MS || p50 < p99 * ABOUT_THE_SAME) return []
      return [`${probe}: p50 of good answers grew by ${formatDuration(p50)}, p99 by ${formatDuration(p99)}`]
    })
  },
}

export function change(before: number | null, during: number | null): number | null {
  return before === null || during === null ? null : during - before
}
