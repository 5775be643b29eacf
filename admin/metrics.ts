// GET /metrics for Prometheus. Values are read from the network when asked for: the data plane only adds numbers.
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { version, type FaultProxy, type Network, type ProxyCounters } from '../proxy/index.ts'

export interface MetricsOptions {
  readonly proxyMetrics?: boolean
  readonly runtimeMetrics?: boolean
}

export function metricsRoute(app: FastifyInstance, network: Network, options: MetricsOptions): void {
  const registry = new Registry()
  if (options.proxyMetrics ?? true) toxiproxyMetrics(registry, network)
  if (options.runtimeMetrics ?? false) collectDefaultMetrics({ register: registry })
  faultlineMetrics(registry, network)
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
}

/** Toxiproxy's metrics, under its names and labels (its METRICS.md); live, not only when a connection ends. */
function toxiproxyMetrics(registry: Registry, network: Network): void {
  const labelNames = ['direction', 'proxy', 'listener', 'upstream'] as const
  const counter = (name: string, help: string, field: 'receivedBytes' | 'sentBytes'): void => {
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        for (const { name: proxy, listen: listener, upstream, traffic } of network.proxies) {
          this.inc({ direction: 'upstream', proxy, listener, upstream }, traffic.upstream[field])
          this.inc({ direction: 'downstream', proxy, listener, upstream }, traffic.downstream[field])
        }
      },
    })
  }
  counter('toxiproxy_proxy_received_bytes_total', 'Bytes read from the source of a direction.', 'receivedBytes')
  counter('toxiproxy_proxy_sent_bytes_total', 'Bytes written to the destination of a direction.', 'sentBytes')
}

function faultlineMetrics(registry: Registry, network: Network): void {
  const registers = [registry]
  new Gauge({ name: 'faultline_build_info', help: 'Faultline version.', labelNames: ['version'], registers }).set(
    { version },
    1,
  )

  proxyGauge('faultline_proxy_enabled', 'Whether the proxy listens.', (proxy) => (proxy.enabled ? 1 : 0))
  proxyGauge('faultline_proxy_connections', 'Live connections.', (proxy) => proxy.connections.size)
  proxyGauge('faultline_proxy_held_bytes', 'Bytes held back by faults.', heldBytes)
  proxyCounter('faultline_proxy_accepted_connections_total', 'Accepted connections.', 'acceptedConnections')
  proxyCounter('faultline_proxy_failed_dials_total', 'Connections whose upstream could not be reached.', 'failedDials')
  proxyCounter('faultline_proxy_failed_accepts_total', 'Connections that could not be accepted.', 'failedAccepts')
  proxyCounter('faultline_proxy_opaque_connections_total', 'Connections not understood.', 'opaqueConnections')
  proxyCounter('faultline_proxy_held_limits_reached_total', 'Times a fault held all it may.', 'heldLimitsReached')

  new Counter({
    name: 'faultline_injections_total',
    help: 'Acts of faults.',
    labelNames: ['proxy', 'type'] as const,
    registers,
    collect() {
      this.reset()
      for (const { proxy, type, count } of network.injections.counts()) this.inc({ proxy, type }, count)
    },
  })

  function proxyGauge(name: string, help: string, read: (proxy: FaultProxy) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ['proxy'] as const,
      registers,
      collect() {
        this.reset()
        for (const proxy of network.proxies) this.set({ proxy: proxy.name }, read(proxy))
      },
    })
  }

  function proxyCounter(name: string, help: string, field: keyof ProxyCounters): void {
    new Counter({
      name,
      help,
      labelNames: ['proxy'] as const,
      registers,
      collect() {
        this.reset()
        for (const proxy of network.proxies) this.inc({ proxy: proxy.name }, proxy.counters[field])
      },
    })
  }
}

function heldBytes(proxy: FaultProxy): number {
  let bytes = 0
  for (const connection of proxy.connections) bytes += connection.heldBytes
  return bytes
}
