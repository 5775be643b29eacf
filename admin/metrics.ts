// The metrics for Prometheus. Values are read from the network when asked for: the data plane only adds numbers.
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { Stressors } from '../resource-stressors/index.ts'
import { version, type FaultProxy, type Network, type ProxyCounters } from '../proxy/index.ts'

export interface MetricsOptions {
  readonly proxyMetrics?: boolean
  readonly runtimeMetrics?: boolean
}

/** What is read of the feed. */
export interface CountedFeed {
  /** How many streams are being read. */
  readonly readers: number
}

/** Of prom-client's own: gauges whose names end as counters' do, which Prometheus' linter refuses. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** What numbers are read from. */
export interface Measured {
  readonly network: Network
  readonly feed: CountedFeed
  readonly stressors: Stressors
}

/** Counts nothing by itself but Node's own metrics, from now on: otherwise it may be made when somebody asks. */
export function metricsRegistry({ network, feed, stressors }: Measured, options: MetricsOptions): Registry {
  const registry = new Registry()
  if (options.proxyMetrics ?? true) toxiproxyMetrics(registry, network)
  if (options.runtimeMetrics ?? false) {
    collectDefaultMetrics({ register: registry })
    for (const name of MISNAMED) registry.removeSingleMetric(name)
  }
  serverMetrics(registry, network, feed)
  faultMetrics(registry, network)
  proxyMetrics(registry, network)
  stressorMetrics(registry, stressors)
  return registry
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

function serverMetrics(registry: Registry, network: Network, feed: CountedFeed): void {
  const build = new Gauge({
    name: 'faultline_build_info',
    help: 'Faultline version.',
    labelNames: ['version'],
    registers: [registry],
  })
  build.set({ version }, 1)
  gauge('faultline_stopped', 'Whether the emergency stop is on.', () => (network.stopped ? 1 : 0))
  gauge('faultline_partitions', 'Partitions that have not been healed.', () => network.partitions.length)
  gauge('faultline_leases', 'Leases that have not ended.', () => [...network.leases].length)
  gauge('faultline_feed_clients', 'Clients that read the feed of events.', () => feed.readers)

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
}

function faultMetrics(registry: Registry, network: Network): void {
  new Gauge({
    name: 'faultline_active_faults',
    help: 'Faults that are enabled, those of partitions included.',
    labelNames: ['proxy', 'type'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const { name: proxy, activeFaults } of network.proxies) {
        for (const { type } of activeFaults) this.inc({ proxy, type })
      }
    },
  })
  new Counter({
    name: 'faultline_injections_total',
    help: 'Acts of faults.',
    labelNames: ['proxy', 'type'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const { proxy, type, count } of network.injections.counts()) this.inc({ proxy, type }, count)
    },
  })
}

function proxyMetrics(registry: Registry, network: Network): void {
  gauge('faultline_proxy_enabled', 'Whether the proxy listens.', (proxy) => (proxy.enabled ? 1 : 0))
  gauge('faultline_proxy_connections', 'Live connections.', (proxy) => proxy.connections.size)
  gauge('faultline_proxy_held_bytes', 'Bytes held back by faults.', heldBytes)
  counter('faultline_proxy_accepted_connections_total', 'Accepted connections.', 'acceptedConnections')
  counter('faultline_proxy_failed_dials_total', 'Connections whose upstream could not be reached.', 'failedDials')
  counter('faultline_proxy_failed_accepts_total', 'Connections that could not be accepted.', 'failedAccepts')
  counter('faultline_proxy_opaque_connections_total', 'Connections not understood.', 'opaqueConnections')
  counter('faultline_proxy_held_limits_reached_total', 'Times a fault held all it may.', 'heldLimitsReached')

  function gauge(name: string, help: string, read: (proxy: FaultProxy) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ['proxy'] as const,
      registers: [registry],
      collect() {
        this.reset()
        for (const proxy of network.proxies) this.set({ proxy: proxy.name }, read(proxy))
      },
    })
  }

  function counter(name: string, help: string, field: keyof ProxyCounters): void {
    new Counter({
      name,
      help,
      labelNames: ['proxy'] as const,
      registers: [registry],
      collect() {
        this.reset()
        for (const proxy of network.proxies) this.inc({ proxy: proxy.name }, proxy.counters[field])
      },
    })
  }
}

/** A label for the figure, and not a metric for each: types have their own, and will have others. */
function stressorMetrics(registry: Registry, stressors: Stressors): void {
  new Gauge({
    name: 'faultline_stressors',
    help: 'Stressors that are there.',
    registers: [registry],
    collect() {
      this.set(stressors.list.length)
    },
  })
  gauge('faultline_stressor_requested', 'What a stressor is after, by its last report.', 'requestedNow')
  gauge('faultline_stressor_achieved', 'What a stressor has, by its last report.', 'achieved')

  function gauge(name: string, help: string, field: 'requestedNow' | 'achieved'): void {
    new Gauge({
      name,
      help: `${help} The figure has its unit in its name.`,
      labelNames: ['id', 'type', 'figure'] as const,
      registers: [registry],
      collect() {
        this.reset()
        for (const { id, type, [field]: figures } of stressors.list) {
          for (const [figure, value] of Object.entries(figures)) this.set({ id, type, figure }, value)
        }
      },
    })
  }
}

function heldBytes(proxy: FaultProxy): number {
  let bytes = 0
  for (const connection of proxy.connections) bytes += connection.heldBytes
  return bytes
}
