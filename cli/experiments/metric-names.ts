// The names in metrics.prom, for the commands that write it: said here, as the code that writes it loads slowly.
import type { MetricNames } from '../../experiments/results/metrics.ts'

export type { MetricNames }

export const metricNames = ['lint', 'classic'] as const satisfies readonly MetricNames[]

export const METRIC_NAMES_HELP =
  'Names of metrics: those that "promtool check metrics" passes, or classic, with the latency in milliseconds.'
