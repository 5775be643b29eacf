// The names in the paths of /v1, and how to find what they stand for, or fail as the client should see.
import { Type, type Static } from '@sinclair/typebox'
import { FaultlineError, type FaultProxy, type InstalledFault, type Network } from '../../proxy/index.ts'
import type { LiveConnection } from '../../proxy/carrier.ts'
import type { Lease } from '../../proxy/leases.ts'
import type { Partition } from '../../proxy/partition.ts'
import type { Stressor, Stressors } from '../../resource-stressors/index.ts'
import { Refusal } from '../security/refusal.ts'

export const proxyPathSchema = Type.Object({ proxy: Type.String({ description: 'The name of a proxy.' }) })
export const proxyFaultPathSchema = Type.Object({
  proxy: Type.String({ description: 'The name of a proxy.' }),
  fault: Type.String({ description: 'The name of a fault on it.' }),
})
export const faultPathSchema = Type.Object({ id: Type.String({ description: "A fault's id." }) })
export const partitionPathSchema = Type.Object({ partition: Type.String({ description: 'The name of a partition.' }) })
export const leasePathSchema = Type.Object({ id: Type.String({ description: "A lease's id." }) })
export const stressorPathSchema = Type.Object({
  stressor: Type.String({ description: "A stressor's id, or its name." }),
})
export const connectionPathSchema = Type.Object({
  id: Type.String({ description: 'A connection: the name of its proxy, a colon, its number there.' }),
})

export type ProxyPath = Static<typeof proxyPathSchema>
export type ProxyFaultPath = Static<typeof proxyFaultPathSchema>
export type FaultPath = Static<typeof faultPathSchema>
export type PartitionPath = Static<typeof partitionPathSchema>
export type LeasePath = Static<typeof leasePathSchema>
export type StressorPath = Static<typeof stressorPathSchema>
export type ConnectionPath = Static<typeof connectionPathSchema>

export interface FoundFault {
  readonly proxy: FaultProxy
  readonly fault: InstalledFault
}

export interface FoundConnection {
  readonly proxy: FaultProxy
  readonly connection: LiveConnection
}

export function requireProxy(network: Network, name: string): FaultProxy {
  const proxy = network.proxy(name)
  if (proxy) return proxy
  throw new FaultlineError('proxy_not_found', `there is no proxy named "${name}"`)
}

export function requireProxyFault(network: Network, path: ProxyFaultPath): FoundFault {
  const proxy = requireProxy(network, path.proxy)
  const fault = proxy.fault(path.fault)
  if (fault) return { proxy, fault }
  throw new FaultlineError('fault_not_found', `proxy "${proxy.name}" has no fault named "${path.fault}"`)
}

export function requireFault(network: Network, { id }: FaultPath): FoundFault {
  const found = network.findFault(id)
  if (found) return found
  throw new FaultlineError('fault_not_found', `there is no fault with the id "${id}"`)
}

export function requirePartition(network: Network, { partition: name }: PartitionPath): Partition {
  const partition = network.partitions.find((candidate) => candidate.name === name)
  if (partition) return partition
  throw new Refusal(404, 'partition_not_found', `there is no partition named "${name}"`)
}

export function requireLease(network: Network, { id }: LeasePath): Lease {
  return network.leases.find(id, 'id')
}

export function requireStressor(stressors: Stressors, { stressor: idOrName }: StressorPath): Stressor {
  const stressor = stressors.find(idOrName)
  if (stressor) return stressor
  throw new FaultlineError('stressor_not_found', `there is no stressor with the id or name "${idOrName}"`)
}

/** The name of a proxy may have colons, too. */
export function requireConnection(network: Network, { id }: ConnectionPath): FoundConnection {
  const colon = id.lastIndexOf(':')
  const proxy = network.proxy(id.slice(0, Math.max(0, colon)))
  const number = Number(id.slice(colon + 1))
  for (const connection of proxy?.connections ?? [])
    if (proxy && connection.number === number) return { proxy, connection }
  throw new Refusal(404, 'connection_not_found', `there is no live connection "${id}"`)
}
