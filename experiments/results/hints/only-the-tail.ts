import { formatDuration } from '../figures.ts'
import type { HintRule } from './hint.ts'
import { change } from './latency-passes-through.ts'

const WORTH_TELLING_MS = 20
/** Of the p50's growth to the p99's. */
const HARDLY_ANY = 0.1

export const onlyTheTail: HintRule = {
  name: 'only-the-tail',
  about: ['latency'],
  cause: 'Only some requests became slower: those that need the dependency, that retried, or that met a slow instance.',
  next: [
    'Find what the slow ones have in common, in traces of the time of the fault.',
    'Repeat with a probe for each kind of request; try hedged requests if it is a matter of instances.',
  ],
  evidence({ changes }) {
    return changes.flatMap(({ probe, baseline, failure }) => {
      const p50 = change(baseline.goodP50Ms, failure.goodP50Ms)
      const p99 = change(baseline.goodP99Ms, failure.goodP99Ms)
      if (p50 === null || p99 === null || p99 < WORTH_TELLING_MS || p50 > p99 * HARDLY_ANY) return []
      return [`${probe}: p99 of good answers grew by ${formatDuration(p99)}, p50 by only ${formatDuration(p50)}`]
    })
  },
}
