// Proxies and faults as they are, in the form in which they can be made again.
import type { FaultProxy, FaultSpec, InstalledFault, Network, Partition, ProxySpec } from '../../proxy/index.ts'

/**
 * A fault's complete spec.
 *
 * @param nowMs on the network's clock: of a time to live only what is left counts
 */
export function specOfFault(fault: InstalledFault, nowMs: number): FaultSpec {
  const { type, name, direction, probability, attributes, match, skip, times, every, key, enabled } = fault
  const { expiresMs, lease } = fault
  return {
    type,
    name,
    direction,
    probability,
    attributes,
    match,
    skip,
    every,
    enabled,
    ...(times !== undefined && { times }),
    ...(key !== undefined && { key }),
    ...(expiresMs !== undefined && { ttlMs: leftMs(expiresMs, nowMs) }),
    ...(lease !== undefined && { lease }),
  }
}

/** A time to live is at least a millisecond: what is due has not ended yet. */
export function leftMs(expiresMs: number, nowMs: number): number {
  return Math.max(1, Math.ceil(expiresMs - nowMs))
}

/** A proxy's complete spec, secrets included, but for the faults on it. */
export function specOfProxy(network: Network, proxy: FaultProxy): ProxySpec {
  const { name, protocol, listen, upstream, enabled, from, to, seed, seedName, lease } = proxy
  return {
    ...proxy.optionsWithSecrets(),
    name,
    protocol,
    listen,
    upstream,
    enabled,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(seed !== network.seed && { seed }),
    ...(seedName !== name && { seedName }),
    ...(lease !== undefined && { lease }),
  }
}

/** Those that were asked for as such: not the parts of partitions. */
export function ownFaults(network: Network, proxy: FaultProxy): InstalledFault[] {
  const cutting = network.partitions.filter(({ links }) => links.includes(proxy.name))
  return [...proxy.faults].filter((fault) => !cutting.some((partition) => isPartOf(fault, partition)))
}

function isPartOf(fault: InstalledFault, partition: Partition): boolean {
  return fault.name.startsWith(`${partition.name}:`)
}
