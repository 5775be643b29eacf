import { formatDuration, formatShare } from '../figures.ts'
import { badShare } from './facts.ts'
import type { HintRule } from './hint.ts'

export const neverRecovered: HintRule = {
  name: 'never-recovered',
  about: ['recovery', 'errors'],
  cause:
    'No recovery after the faults were gone: something stays broken by itself, such as dead connections in a pool, ' +
    'a circuit breaker that never closes, a process that has to be restarted, or a load that keeps it down.',
  next: [
    'See what a restart of the service changes: if it helps, state in memory is what stays broken.',
    'Let the pool check connections before use, and a breaker try again after a while.',
    'Repeat with a longer `recovery` phase, to tell “never” from “late”.',
  ],
  evidence({ journal, healedMs, after }) {
    const evidence: string[] = []
    const open = journal.outages.find(({ untilMs }) => untilMs === undefined)
    if (open)
      evidence.push(`an outage lasted ${formatDuration(journal.durationMs - open.fromMs)}, to the end of the run`)
    if (healedMs === null || after.length === 0) return evidence
    const { first, stable } = journal.recoveryMs
    const watched = formatDuration(journal.durationMs - healedMs)
    if (first === null) evidence.push(`not one good answer in the ${watched} after the last fault was removed`)
    else if (stable === null) evidence.push(`good answers, but none that stayed so in ${watched} after the last fault`)
    else return evidence
    return [...evidence, `${formatShare(badShare(after))} of the attempts after the last fault were not good`]
  },
}
