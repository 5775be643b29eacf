// The rules that send an application's connections through Faultline, as nft(8) reads them: made of checked numbers and
// addresses, nothing else.
import { isIPv6 } from 'node:net'
import { withoutTable } from '../../proxy/faults/packet-loss/kernel/nft.ts'
import type { Redirection } from './redirection.ts'

/** All rules are in it, so that removing it removes them all, by whomever. */
export const TABLE = 'faultline_sidecar'

/** Where destinations are rewritten before a route is looked for (NF_IP_PRI_NAT_DST; older nft know no name for it here). */
const PRIORITY = -100

export interface SidecarRules {
  readonly redirections: readonly Redirection[]
  /** The user whose connections go on as they are: Faultline's own, which would come back to it otherwise. */
  readonly uid: number
}

/**
 * Rules for connections that begin on this machine (in a container: in its network); they take the place of those that
 * there are, at once. Only a connection's SYN is redirected. The kernel looks at first packets only, but to it the first
 * packet of a connection is one in the middle, where nothing had it follow connections until now.
 *
 * Faultline is told by its user, as the kernel knows that of every socket, in every container that shares the network.
 * A mark would have to be set by Faultline itself, which needs CAP_NET_ADMIN all the time; the path of a control group
 * is not known to a container, which sees its own as the root.
 */
export function sidecarRules({ redirections, uid }: SidecarRules): string {
  // The first rule that fits counts: those for one address come before those for all.
  const ordered = [...redirections.filter(({ address }) => address !== undefined), ...redirections.filter(isForAll)]
  const rules = ordered.map((redirection) => `    ${redirectRule(redirection)}\n`).join('')
  return `${withoutTable(TABLE)}table inet ${TABLE} {
  chain outgoing {
    type nat hook output priority ${PRIORITY}; policy accept;
    meta skuid ${uid} return comment "Faultline's own"
    tcp flags & (fin | syn | rst | ack) != syn return comment "Connections that are open"
${rules}  }
}
`
}

function isForAll({ address }: Redirection): boolean {
  return address === undefined
}

/** To the loopback address of the connection's own family. */
function redirectRule({ address, port, proxyPort }: Redirection): string {
  const match = address === undefined ? '' : `${isIPv6(address) ? 'ip6' : 'ip'} daddr ${address} `
  return `${match}tcp dport ${port} redirect to :${proxyPort}`
}
