// What the charts show, as plain data that goes into the page. Times are seconds of the run, shares are percent.
import type { Journal, SecondRecord, StepRecord } from '../../model.ts'
import { formatDuration } from '../figures.ts'
import { meanBySecond } from '../metric-figures.ts'
import { actingSteps } from '../summary.ts'

export interface ChartData {
  readonly untilSeconds: number
  /** Where each point is: the middle of the part of its second that is in its phase. */
  readonly times: readonly number[]
  readonly phaseOfPoint: readonly string[]
  readonly p50: readonly (number | null)[]
  readonly p95: readonly (number | null)[]
  readonly p99: readonly (number | null)[]
  readonly errorPercent: readonly (number | null)[]
  readonly attempts: readonly (number | null)[]
  /** Custom ones, each with the mean of the second that a point is in. */
  readonly metrics: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
  readonly phases: readonly { readonly name: string; readonly from: number; readonly until: number }[]
  readonly steps: readonly ChartStep[]
  readonly lanes: number
  readonly outages: readonly { readonly from: number; readonly until: number }[]
  /** The lowest and the highest p95 that a second of the baseline had, in milliseconds. */
  readonly baseline: { readonly low: number; readonly high: number } | null
  /** The SLO's, where there is one. */
  readonly errorLimitPercent: number | null
}

export interface ChartStep {
  readonly name: string
  readonly kind: StepRecord['kind']
  readonly from: number
  readonly until: number
  /** It has not been undone: it goes on to the end. */
  readonly open: boolean
  readonly lane: number
  /** How long it was there, for people. */
  readonly lasted: string
}

export function chartDataOf(journal: Journal): ChartData {
  const { durationMs, seconds, phases, outages, verdicts } = journal
  const steps = inLanes(actingSteps(journal), durationMs)
  const points = withGaps(seconds)
  const errorLimit = verdicts.find(({ slo }) => slo === 'errorRate')?.threshold
  const times = points.map((point) => middleOf(point, phases))
  return {
    untilSeconds: Math.max(durationMs / 1000, times.at(-1) ?? 0),
    times,
    phaseOfPoint: points.map(({ phase }) => phase ?? ''),
    p50: points.map(({ p50Ms = null }) => p50Ms),
    p95: points.map(({ p95Ms = null }) => p95Ms),
    p99: points.map(({ p99Ms = null }) => p99Ms),
    errorPercent: points.map(({ attempts = 0, good = 0 }) => (attempts === 0 ? null : (1 - good / attempts) * 100)),
    attempts: points.map(({ attempts = null }) => attempts),
    metrics: Object.entries(journal.metrics ?? {}).map(([name, record]) => {
      const means = meanBySecond(record)
      return { name, values: points.map(({ second }) => means.get(second) ?? null) }
    }),
    phases: phases.map(({ name, fromMs, untilMs }) => ({ name, from: fromMs / 1000, until: untilMs / 1000 })),
    steps,
    lanes: steps.reduce((lanes, { lane }) => Math.max(lanes, lane + 1), 0),
    outages: outages.map(({ fromMs, untilMs }) => ({ from: fromMs / 1000, until: (untilMs ?? durationMs) / 1000 })),
    baseline: baselineOf(seconds),
    errorLimitPercent: errorLimit === undefined ? null : errorLimit * 100,
  }
}

type Point = Partial<SecondRecord> & Pick<SecondRecord, 'second'>

/** A second without attempts has no record: an empty one breaks the line, which would else hide that nothing was tried. */
function withGaps(seconds: readonly SecondRecord[]): Point[] {
  const sorted = seconds.toSorted((one, other) => one.second - other.second)
  return sorted.flatMap((record, index) => {
    const before = sorted[index - 1]
    return before !== undefined && record.second > before.second + 1
      ? [{ second: before.second + 1 }, record]
      : [record]
  })
}

/** A second in which a phase ends has a point for each of the two. */
function middleOf({ second, phase }: Point, phases: Journal['phases']): number {
  const record = phases.find(({ name }) => name === phase)
  const from = Math.max(second, (record?.fromMs ?? 0) / 1000)
  const until = Math.min(second + 1, record === undefined ? Infinity : record.untilMs / 1000)
  return from < until ? (from + until) / 2 : second + 0.5
}

function baselineOf(seconds: readonly SecondRecord[]): ChartData['baseline'] {
  const p95s = seconds.flatMap(({ phase, p95Ms }) => (phase === 'baseline' && p95Ms !== null ? [p95Ms] : []))
  return p95s.length === 0
    ? null
    : { low: p95s.reduce((a, b) => Math.min(a, b)), high: p95s.reduce((a, b) => Math.max(a, b)) }
}

/** A lane for each name, and one more where two of a name overlap. */
function inLanes(steps: readonly StepRecord[], durationMs: number): ChartStep[] {
  const lanes: { readonly name: string; untilMs: number }[] = []
  return steps
    .toSorted((one, other) => one.appliedMs - other.appliedMs)
    .map(({ name, kind, appliedMs, undoneMs }) => {
      const untilMs = undoneMs ?? Math.max(durationMs, appliedMs)
      const free = lanes.findIndex((lane) => lane.name === name && lane.untilMs <= appliedMs)
      const lane = free === -1 ? lanes.length : free
      lanes[lane] = { name, untilMs }
      return {
        name,
        kind,
        from: appliedMs / 1000,
        until: untilMs / 1000,
        open: undoneMs === undefined,
        lane,
        lasted: formatDuration(untilMs - appliedMs),
      }
    })
}
