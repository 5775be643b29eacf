// How what our own API answers looks to people.
import type { FaultView, PartitionView, ProxyView } from '../admin/client/v1-answers.ts'
import type { Cell } from './output.ts'
import { attributesText } from './views.ts'

/** `latency_downstream (latency, downstream): latency=1000 jitter=50; acts on all; ends in 30 s` */
export function faultText(fault: FaultView): string {
  const { name, type, direction } = fault
  const parts = [`${name} (${type}, ${direction}): ${attributesText(fault)}`, `acts on ${actsOn(fault)}`]
  const end = endOf(fault)
  if (end !== NEVER) parts.push(`ends ${end}`)
  return parts.join('; ')
}

/** Which of all that passes. */
export function actsOn({ enabled, probability, match, skip, times, every, key }: FaultView): string {
  if (!enabled) return 'nothing: disabled'
  const parts = [
    ...Object.entries(match).map(([name, value]) => `${name}=${plainText(value)}`),
    ...(skip > 0 ? [`skip ${skip}`] : []),
    ...(every > 1 ? [`every ${every}`] : []),
    ...(times !== null ? [`times ${times}`] : []),
    ...(key !== null ? [`by ${key}`] : []),
    ...(probability < 1 ? [`${+(100 * probability).toPrecision(6)}%`] : []),
  ]
  return parts.join(', ') || 'all'
}

const NEVER = 'never'

/** When it ends by itself. */
export function endOf({ ttlMs, remainingMs, lease }: Pick<FaultView, 'ttlMs' | 'remainingMs' | 'lease'>): string {
  const times = [
    ...(ttlMs === null ? [] : [`in ${durationText(remainingMs ?? ttlMs)}`]),
    ...(lease ? ['with its lease'] : []),
  ]
  return times.join(' or ') || NEVER
}

/** A time as people say it: 90 s, 1.5 h. Never less than there is by more than a twentieth. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`
  if (durationMs < 120_000) return `${+(durationMs / 1000).toPrecision(2)} s`
  return durationMs < 7_200_000 ? `${Math.round(durationMs / 60_000)} min` : `${+(durationMs / 3_600_000).toFixed(1)} h`
}

export function stateCellOf({ enabled, lastError }: ProxyView): Cell {
  if (enabled) return { text: 'enabled', style: 'green' }
  return { text: lastError ? `disabled: ${lastError}` : 'disabled', style: 'red' }
}

/** `app ✕ db, cache`, or what one side says and the other does not hear. */
export function cutsText(partition: PartitionView): string {
  const cuts = partition.cuts.map(([from = '', to = '']) => [from, to] as const)
  const both = (from: string, to: string): boolean => cuts.some(([other, another]) => other === to && another === from)
  const texts = cuts.flatMap(([from, to], index) => {
    if (!both(from, to)) return [`${from} → ${to}`]
    const isFirst = cuts.findIndex(([other, another]) => other === to && another === from) > index
    return isFirst ? [`${from} ↔ ${to}`] : []
  })
  return texts.join(', ')
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
