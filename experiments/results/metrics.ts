// metrics.prom: the figures of a run in the text format of Prometheus, under names that dashboards know.
import { Gauge, Registry } from 'prom-client'
import type { Journal } from '../model.ts'
import type { MetricNames } from './metric-names.ts'

/** Of the file and of what is pushed. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

interface Metric {
  readonly name: string
  readonly help: string
  /** Under these names alone. Default: under both. */
  readonly names?: MetricNames
  /** Default `gauge`. The linter keeps `_count` for histograms, unless nothing is said of the type. */
  readonly type?: 'untyped'
  read(journal: Journal): number | null
}

const metrics: readonly Metric[] = [
  {
    name: 'chaos_mttr_seconds',
    help: 'Mean time to recovery of the outages that ended.',
    read: (journal) => scaled(journal, 'mttr', 0.001),
  },
  {
    name: 'chaos_error_rate_percent',
    help: 'Attempts that failed, of all valid ones.',
    read: (journal) => scaled(journal, 'errorRate', 100),
  },
  {
    name: 'chaos_availability_percent',
    help: 'Attempts that were good, of all valid ones.',
    read: (journal) => scaled(journal, 'availability', 100),
  },
  {
    name: 'chaos_latency_degradation_seconds',
    help: 'By how much answers became slower under the faults.',
    names: 'lint',
    read: (journal) => scaled(journal, 'latencyDegradation', 0.001),
  },
  {
    name: 'chaos_latency_degradation_ms',
    help: 'By how many milliseconds answers became slower under the faults.',
    names: 'classic',
    read: (journal) => scaled(journal, 'latencyDegradation', 1),
  },
  {
    name: 'chaos_recovery_time_seconds',
    help: 'From the removal of the last fault to stable good answers.',
    read: (journal) => scaled(journal, 'recoveryTime', 0.001),
  },
  {
    name: 'chaos_slo_passed',
    help: '1 if the run ended well and kept every SLO, else 0.',
    read: ({ outcome }) => (outcome === 'passed' ? 1 : 0),
  },
  {
    name: 'chaos_slo_violations_count',
    help: 'SLOs that were not kept.',
    type: 'untyped',
    read: ({ verdicts }) => verdicts.filter(({ result }) => result === 'fail').length,
  },
]

/**
 * What was not measured has no sample: a zero would be a lie, and NaN breaks sums.
 *
 * @param names default `lint`
 */
export async function renderMetrics(journal: Journal, names: MetricNames = 'lint'): Promise<string> {
  const registry = new Registry()
  const { title: experiment, environment } = journal
  const wanted = metrics.filter((metric) => metric.names === undefined || metric.names === names)
  for (const metric of wanted) {
    const { name, help } = metric
    const gauge = new Gauge({ name, help, labelNames: ['experiment', 'environment'], registers: [registry] })
    const value = metric.read(journal)
    if (value !== null) gauge.set({ experiment, environment }, value)
  }
  const text = await registry.metrics()
  // The library has no such type.
  const untyped = new Set(wanted.filter(({ type }) => type === 'untyped').map(({ name }) => name))
  return text.replace(/^# TYPE (\S+) gauge$/gm, (line, name: string) =>
    untyped.has(name) ? `# TYPE ${name} untyped` : line,
  )
}

function scaled({ verdicts }: Journal, slo: string, factor: number): number | null {
  const measured = verdicts.find((verdict) => verdict.slo === slo)?.measured ?? null
  // Without what binary fractions add: 0.07 · 100 is 7.
  return measured === null ? null : Number((measured * factor).toPrecision(12))
}
