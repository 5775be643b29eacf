// Watches for what an experiment is to be aborted by: with every attempt and every look at the machine, not now and then.
import type { AbortCondition, AbortFigure } from '../file/experiment.ts'
import { formatDuration, formatShare } from '../file/units.ts'
import type { Attempt } from '../model.ts'
import type { Comparison } from '../probes/index.ts'
import { formatNumber } from '../results/figures.ts'
import type { MachineSample } from './machine-monitor.ts'
import type { MetricSample } from './metric-monitor.ts'

/** An attempt as far as figures need it, and when it ended. */
interface Ended {
  readonly atMs: number
  readonly isGood: boolean
  readonly latencyMs: number
}

/** More in a condition's time are not looked at, but the latest. */
const MAX_KEPT = 10_000

const machineFigures = { cpu: 'cpu', memory: 'memory', disk: 'disk', eventLoopLag: 'eventLoopLagMs' } as const

export class AbortWatch {
  readonly #conditions: readonly AbortCondition[]
  readonly #onBreach: (reason: string) => void
  readonly #longestMs: number
  #ended: Ended[] = []
  #samples: MachineSample[] = []
  readonly #metrics = new Map<string, MetricSample[]>()

  /** @param onBreach hears of each breach, with a sentence */
  constructor(conditions: readonly AbortCondition[], onBreach: (reason: string) => void) {
    this.#conditions = conditions
    this.#onBreach = onBreach
    this.#longestMs = Math.max(0, ...conditions.map(({ overMs }) => overMs))
  }

  attempted({ intendedMs, latencyMs, outcome }: Attempt): void {
    if (this.#conditions.length === 0) return
    const atMs = intendedMs + latencyMs
    this.#ended.push({ atMs, isGood: outcome === 'good', latencyMs })
    if (this.#ended.length > 2 * MAX_KEPT) this.#ended = this.#ended.slice(-MAX_KEPT)
    const fromMs = atMs - this.#longestMs
    while (this.#ended[0] && this.#ended[0].atMs < fromMs) this.#ended.shift()
    for (const condition of this.#conditions) {
      if (condition.figure === 'metric' || condition.figure in machineFigures) continue
      const recent = this.#ended.filter((ended) => ended.atMs > atMs - condition.overMs)
      if (recent.length >= condition.atLeast) this.#compare(condition, figureOf(condition.figure, recent))
    }
  }

  sampled(sample: MachineSample): void {
    this.#samples.push(sample)
    this.#samples = this.#samples.filter(({ atMs }) => atMs > sample.atMs - this.#longestMs)
    for (const condition of this.#conditions) {
      const { figure, overMs } = condition
      // One look says nothing of a longer time; the first ones come when a second of it has passed.
      if (!(figure in machineFigures) || sample.atMs < overMs) continue
      const name = machineFigures[figure as keyof typeof machineFigures]
      const values = this.#samples.filter(({ atMs }) => atMs > sample.atMs - overMs).map((each) => each[name] ?? 0)
      this.#compare(condition, values.reduce((sum, value) => sum + value, 0) / values.length)
    }
  }

  measured(sample: MetricSample): void {
    const { name, atMs } = sample
    const kept = this.#metrics.get(name)?.filter((each) => each.atMs > atMs - this.#longestMs) ?? []
    kept.push(sample)
    this.#metrics.set(name, kept)
    for (const condition of this.#conditions) {
      if (condition.metric !== name || atMs < condition.overMs) continue
      // Those that are asked less often than that count by their latest.
      const values = kept.filter((each) => each === sample || each.atMs > atMs - condition.overMs)
      this.#compare(condition, values.reduce((sum, { value }) => sum + value, 0) / values.length)
    }
  }

  #compare({ figure, comparison, text, overMs }: AbortCondition, value: number): void {
    if (!holds(comparison, value)) return
    const isTime = figure === 'responseTime' || figure === 'eventLoopLag'
    const measured = figure === 'metric' ? formatNumber(value) : isTime ? formatDuration(value) : formatShare(value)
    this.#onBreach(`${text}: it was ${measured} in the last ${formatDuration(overMs)}`)
  }
}

function figureOf(figure: AbortFigure, ended: readonly Ended[]): number {
  const good = ended.filter(({ isGood }) => isGood).length
  if (figure === 'availability') return good / ended.length
  if (figure === 'errorRate') return 1 - good / ended.length
  const sorted = ended.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)] ?? 0
}

function holds({ op, number }: Comparison, value: number): boolean {
  switch (op) {
    case '<':
      return value < number
    case '<=':
      return value <= number
    case '>':
      return value > number
    case '>=':
      return value >= number
    case '==':
      return value === number
    default:
      return value !== number
  }
}
