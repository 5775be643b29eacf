// The names in metrics.prom. Apart from what writes it, which loads slowly.

/**
 * `lint`: what `promtool check metrics` has nothing against. `classic`: as dashboards of other chaos tools have them, where
 * the one difference is that the latency degradation is in milliseconds, in its name, too; which the linter refuses.
 */
export const metricNames = ['lint', 'classic'] as const

export type MetricNames = (typeof metricNames)[number]
