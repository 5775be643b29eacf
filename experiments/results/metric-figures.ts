// What custom metrics were, phase by phase, and second by second.
import type { Journal, MetricRecord, PhaseName } from '../model.ts'
import { plural } from './figures.ts'

export interface MetricFigures {
  readonly name: string
  readonly phase: PhaseName
  readonly count: number
  readonly lowest: number
  /** Of an even number of values the higher one of the middle. */
  readonly median: number
  readonly highest: number
}

/** In the order of the journal; phases without a value are left out. */
export function metricFigures({ metrics = {}, phases }: Journal): readonly MetricFigures[] {
  return Object.entries(metrics).flatMap(([name, { points }]) =>
    phases.flatMap(({ name: phase, fromMs, untilMs }) => {
      const ofPhase = points.flatMap(([atMs, value]) => (atMs >= fromMs && atMs < untilMs ? [value] : []))
      const sorted = ofPhase.sort((a, b) => a - b)
      const [lowest, median, highest] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
      if (lowest === undefined || median === undefined || highest === undefined) return []
      return [{ name, phase, count: sorted.length, lowest, median, highest }]
    }),
  )
}

/** A sentence for each reason why a metric had no value. */
export function missedMetrics({ metrics = {} }: Journal): readonly string[] {
  return Object.entries(metrics).flatMap(([name, { missed }]) =>
    Object.entries(missed).map(([reason, count]) => `${name} had no value ${plural(count, 'time')}: ${reason}`),
  )
}

/** The mean of each second that has values. */
export function meanBySecond({ points }: MetricRecord): ReadonlyMap<number, number> {
  const sums = new Map<number, { sum: number; count: number }>()
  for (const [atMs, value] of points) {
    const second = Math.floor(atMs / 1000)
    const { sum, count } = sums.get(second) ?? { sum: 0, count: 0 }
    sums.set(second, { sum: sum + value, count: count + 1 })
  }
  return new Map([...sums].map(([second, { sum, count }]) => [second, sum / count]))
}
