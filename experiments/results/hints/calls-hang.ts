import { formatShare, plural } from '../figures.ts'
import { reasonCounts } from './facts.ts'
import type { HintRule } from './hint.ts'

/** Of all failures: fewer are no pattern. */
const LARGE_PART = 0.2

export const callsHang: HintRule = {
  name: 'calls-hang',
  about: ['errors', 'recovery'],
  cause: 'Calls hang: the service waits for something that does not answer, until its caller gives up.',
  next: [
    'Give the calls to this dependency a timeout below that of the callers, and answer with an error or a fallback then.',
    'Repeat with a `timeout` toxic in place of the fault, which shows each call without a time limit.',
  ],
  evidence({ journal }) {
    const counts = reasonCounts(journal)
    const all = counts.reduce((sum, [, count]) => sum + count, 0)
    const timeouts = counts.reduce((sum, [reason, count]) => (isTimeout(reason) ? sum + count : sum), 0)
    if (timeouts === 0 || timeouts / all < LARGE_PART) return []
    return [`${formatShare(timeouts / all)} of ${plural(all, 'failure')} were time limits of the probes`]
  },
}

export function isTimeout(reason: string): boolean {
  return /^timeout\b|^ETIMEDOUT$/.test(reason)
}
