// The run as a list of what happened, in the order of time.
import type { Journal, PhaseName, StepRecord } from '../model.ts'
import { formatDuration, formatReached, formatShare, plural } from './figures.ts'
import { keptSteps, notUndone } from './summary.ts'

export interface TimelineEvent {
  readonly atMs: number
  readonly kind: 'phase' | 'applied' | 'undone' | 'check' | 'error' | 'outage' | 'recovery' | 'end'
  readonly text: string
}

/** At the same time, what began comes before what it led to. */
const order: readonly TimelineEvent['kind'][] = [
  'phase',
  'undone',
  'applied',
  'check',
  'error',
  'outage',
  'recovery',
  'end',
]

export function timelineOf(journal: Journal): readonly TimelineEvent[] {
  const steps = journal.steps.flatMap(stepEvents)
  const events = [...phaseEvents(journal), ...steps, ...outageEvents(journal), ...notificationEvents(journal)]
  const left = notUndone(journal).length
  const kept = keptSteps(journal).length
  const remains = left === 0 ? '' : `; ${plural(left, 'step')} not undone`
  const stays = kept === 0 ? '' : `; ${plural(kept, 'step')} left to act, as it wants no rollback`
  events.push({ atMs: journal.durationMs, kind: 'end', text: `the run ends: ${journal.outcome}${remains}${stays}` })
  return events.sort((one, other) => one.atMs - other.atMs || order.indexOf(one.kind) - order.indexOf(other.kind))
}

function phaseEvents(journal: Journal): TimelineEvent[] {
  return journal.phases.map(({ name, fromMs, untilMs }) => {
    const attempts = sum(journal, name, 'attempts')
    const seen =
      attempts === 0
        ? ''
        : `: ${plural(attempts, 'attempt')}, ${formatShare(1 - sum(journal, name, 'good') / attempts)} not good`
    return { atMs: fromMs, kind: 'phase', text: `${name} for ${formatDuration(untilMs - fromMs)}${seen}` }
  })
}

function sum({ probes }: Journal, phase: PhaseName, field: 'attempts' | 'good'): number {
  return Object.values(probes).reduce((total, phases) => total + (phases[phase]?.[field] ?? 0), 0)
}

function stepEvents(step: StepRecord): TimelineEvent[] {
  const { name, kind, appliedMs, undoneMs, error, requested = {}, achieved = {}, notes = [] } = step
  const events: TimelineEvent[] = []
  if (error !== undefined) events.push({ atMs: undoneMs ?? appliedMs, kind: 'error', text: `${name}: ${error}` })
  if (kind === 'check') return [{ atMs: appliedMs, kind: 'check', text: name }, ...events]
  events.push({ atMs: appliedMs, kind: 'applied', text: `${name} begins` })
  if (undoneMs !== undefined) {
    const reached = [formatReached(requested, achieved), ...notes].filter((text) => text !== '').join('; ')
    const had = reached === '' ? '' : `: ${reached}`
    const text = `${name} ends, after ${formatDuration(undoneMs - appliedMs)}${had}`
    events.push({ atMs: undoneMs, kind: 'undone', text })
  }
  return events
}

function outageEvents({ outages, durationMs }: Journal): TimelineEvent[] {
  return outages.flatMap(({ fromMs, untilMs }): TimelineEvent[] => {
    if (untilMs === undefined) {
      const lasted = formatDuration(durationMs - fromMs)
      return [{ atMs: fromMs, kind: 'outage', text: `an outage begins that has not ended after ${lasted}` }]
    }
    return [
      { atMs: fromMs, kind: 'outage', text: 'an outage begins' },
      { atMs: untilMs, kind: 'recovery', text: `the outage ends, after ${formatDuration(untilMs - fromMs)}` },
    ]
  })
}

/** Of those that have arrived there is nothing to say. */
function notificationEvents({ notifications = [] }: Journal): TimelineEvent[] {
  return notifications.flatMap(({ event, webhook, atMs, error }) =>
    error === undefined ? [] : [{ atMs, kind: 'error', text: `${webhook} was not told of ${event}: ${error}` }],
  )
}

/** Detection and recovery, as pairs of a name and a figure. */
export function reactionTimes({ detectionMs, recoveryMs, outages }: Journal): readonly (readonly [string, string])[] {
  const ended = outages.filter(({ untilMs }) => untilMs !== undefined).length
  const never = outages.length - ended
  const recovery = (ms: number | null): string =>
    ms === null && never > 0 ? 'not while it was watched' : formatDuration(ms)
  return [
    ['From fault to first failure', detectionMs === null ? 'no failure seen' : formatDuration(detectionMs)],
    ['From fault removed to first good answer', recovery(recoveryMs.first)],
    ['From fault removed to stable', recovery(recoveryMs.stable)],
    ['Outages', never === 0 ? String(ended) : `${outages.length}, of which ${never} did not end`],
  ]
}
