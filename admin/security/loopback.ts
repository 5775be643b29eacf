// Whether an address to listen on can be reached from this machine only.
import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** A name counts as reachable from elsewhere, but for localhost: what else it stands for is up to the system. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  const family = isIP(host)
  return family > 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
