// What our own API shows of proxies and faults.
import type { FaultProxy, InstalledFault } from '../../proxy/index.ts'

export function viewProxy(proxy: FaultProxy): object {
  const { name, protocol, protocolOptions, from, to, listen, upstream, enabled, counters, traffic, lastError } = proxy
  return {
    name,
    protocol,
    ...protocolOptions,
    listen,
    upstream,
    enabled,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    faults: [...proxy.faults].map(viewFault),
    connections: proxy.connections.size,
    counters,
    traffic,
    lastError: lastError?.message ?? null,
  }
}

export function viewFault(fault: InstalledFault): object {
  const { name, type, definition, direction, probability, attributes, injections } = fault
  const { layer } = definition
  const lives = fault.ttlMs === undefined ? {} : { ttlMs: fault.ttlMs }
  const common = { name, type, layer, direction, probability, attributes, injections, ...lives }
  if (layer === 'stream') return common
  const { match, skip, times, every, key } = fault
  return { ...common, match, skip, times: times ?? null, every, key: key ?? null }
}
