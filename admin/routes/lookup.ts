// Finds what a path names, or fails with the error that the client should see.
import { FaultlineError, type FaultProxy, type InstalledFault, type Network } from '../../proxy/index.ts'

export interface ProxyPath {
  readonly proxy: string
}

export interface FaultPath extends ProxyPath {
  readonly fault: string
}

export function requireProxy(network: Network, { proxy: name }: ProxyPath): FaultProxy {
  const proxy = network.proxy(name)
  if (proxy) return proxy
  throw new FaultlineError('proxy_not_found', `there is no proxy named "${name}"`)
}

export function requireFault(network: Network, path: FaultPath): { proxy: FaultProxy; fault: InstalledFault } {
  const proxy = requireProxy(network, path)
  const fault = proxy.fault(path.fault)
  if (fault) return { proxy, fault }
  throw new FaultlineError('fault_not_found', `proxy "${proxy.name}" has no fault named "${path.fault}"`)
}
