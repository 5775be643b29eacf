import { median, sampleRankCorrelation } from 'simple-statistics'
import { formatDuration, formatOffset } from '../figures.ts'
import type { HintRule } from './hint.ts'

/** With fewer a line is soon found. */
const FEWEST_SECONDS = 6
/** Rank correlation of the seconds and their medians. */
const STEADY_GROWTH = 0.7
const TIMES_SLOWER = 2

export const queueGrows: HintRule = {
  name: 'queue-grows',
  about: ['latency', 'errors'],
  cause:
    'A queue grew while the fault lasted: more came in than could be dealt with, as with too few connections or workers. ' +
    '(A fault with a ramp looks the same.)',
  next: [
    'Look at the number of connections and workers in use; refuse early what can’t be dealt with in time.',
    'Repeat at half the rate: without the growth, it is capacity, and not the fault itself.',
  ],
  evidence({ windows }) {
    return windows.flatMap(({ fromMs, seconds }) => {
      const medians = seconds.flatMap(({ p50Ms }) => (p50Ms === null ? [] : [p50Ms]))
      if (medians.length < FEWEST_SECONDS) return []
      const third = Math.floor(medians.length / 3)
      const [first, last] = [median(medians.slice(0, third)), median(medians.slice(-third))]
      const order = medians.map((_, index) => index)
      // Without any change there is no correlation: it is not a number then.
      if (last < first * TIMES_SLOWER || !(sampleRankCorrelation(order, medians) >= STEADY_GROWTH)) return []
      const grew = `from ${formatDuration(first)} in the first third to ${formatDuration(last)} in the last`
      return [`p50 grew steadily under what began at ${formatOffset(fromMs)}: ${grew}`]
    })
  },
}
