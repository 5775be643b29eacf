// The flag of the commands that write metrics.prom.
export { metricNames, type MetricNames } from '../../experiments/results/metric-names.ts'

export const METRIC_NAMES_HELP =
  'Names of metrics: those that "promtool check metrics" passes, or classic, with the latency in milliseconds.'
