// GET /metrics.
import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Measured, MetricsOptions } from '../metrics.ts'

/** The registry is made at the first request: its library is slow to load, and most servers are never asked. */
export function metricsRoute(app: FastifyInstance, measured: Measured, options: MetricsOptions): void {
  let loading: Promise<Registry> | undefined
  const registry = (): Promise<Registry> => {
    loading ??= import('../metrics.ts').then(({ metricsRegistry }) => metricsRegistry(measured, options))
    return loading
  }
  // Some of Node's own metrics are of what has happened since they were set up.
  if (options.runtimeMetrics ?? false) app.addHook('onReady', async () => void (await registry()))
  app.get('/metrics', async (_request, reply) => {
    const asked = await registry()
    return reply.type(asked.contentType).send(await asked.metrics())
  })
}
