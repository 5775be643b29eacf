// What our own API shows of proxies and faults.
import type { FaultProxy, InstalledFault } from '../../proxy/index.ts'

export function viewProxy(proxy: FaultProxy): object {
  const { name, protocol, listen, upstream, enabled, counters, traffic, lastError } = proxy
  return {
    name,
    protocol,
    listen,
    upstream,
    enabled,
    faults: [...proxy.faults].map(viewFault),
    connections: proxy.connections.size,
    counters,
    traffic,
    lastError: lastError?.message ?? null,
  }
}

export function viewFault(fault: InstalledFault): object {
  const { name, type, definition, direction, probability, attributes, injections } = fault
  return { name, type, layer: definition.layer, direction, probability, attributes, injections }
}
