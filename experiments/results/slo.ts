// What each SLO's figure is: its name for people, its unit, and which way is better.
import type { Verdict } from '../model.ts'
import { formatDuration, formatNumber, formatShare, NOTHING } from './figures.ts'

/** What an SLO is about; what may have made it fail depends on it. */
export type Topic = 'errors' | 'latency' | 'recovery'

export interface SloKind {
  readonly label: string
  /** Undefined: nobody knows what its figure is. */
  readonly unit?: 'ms' | 'share'
  readonly better?: 'lower' | 'higher'
  readonly topics: readonly Topic[]
}

const kinds: Readonly<Record<string, SloKind>> = {
  mttr: { label: 'Mean time to recovery', unit: 'ms', better: 'lower', topics: ['recovery'] },
  errorRate: { label: 'Error rate', unit: 'share', better: 'lower', topics: ['errors'] },
  availability: { label: 'Availability', unit: 'share', better: 'higher', topics: ['errors'] },
  latencyDegradation: { label: 'Latency degradation', unit: 'ms', better: 'lower', topics: ['latency'] },
  recoveryTime: { label: 'Recovery time', unit: 'ms', better: 'lower', topics: ['recovery'] },
}

/** What a steady state is held against; its SLO's name is `<steady state>: <one of these>`. */
const aggregates: Readonly<Record<string, Pick<SloKind, 'unit' | 'better' | 'topics'>>> = {
  errorRate: { unit: 'share', better: 'lower', topics: ['errors'] },
  availability: { unit: 'share', better: 'higher', topics: ['errors'] },
  p50: { unit: 'ms', better: 'lower', topics: ['latency'] },
  p95: { unit: 'ms', better: 'lower', topics: ['latency'] },
  p99: { unit: 'ms', better: 'lower', topics: ['latency'] },
}

/** Of a verdict's `slo`. */
export function sloKind(slo: string): SloKind {
  const kind = Object.hasOwn(kinds, slo) ? kinds[slo] : undefined
  if (kind !== undefined) return kind
  const aggregate = slo.slice(slo.lastIndexOf(': ') + 2)
  const known = slo.includes(': ') && Object.hasOwn(aggregates, aggregate) ? aggregates[aggregate] : undefined
  return { label: slo, topics: ['errors', 'latency'], ...known }
}

/** A figure of the SLO, in its unit. */
export function formatSlo(slo: string, value: number | null): string {
  const { unit } = sloKind(slo)
  if (unit === undefined) return formatNumber(value)
  return unit === 'ms' ? formatDuration(value) : formatShare(value)
}

/** E.g. `≤ 5 %`. */
export function formatLimit({ slo, threshold }: Verdict): string {
  const { better } = sloKind(slo)
  const sign = better === undefined ? '' : better === 'lower' ? '≤ ' : '≥ '
  return sign + formatSlo(slo, threshold)
}

/** E.g. `4.1 % to 6.3 %`. */
export function formatInterval({ slo, interval }: Verdict): string {
  return interval === undefined ? NOTHING : `${formatSlo(slo, interval[0])} to ${formatSlo(slo, interval[1])}`
}
