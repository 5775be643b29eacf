// The rules that lose packets, as nft(8) reads them. Made of numbers and of addresses that have been checked, nothing else.
import { isIPv4, isIPv6 } from 'node:net'
import type { Address } from '../../../address.ts'

export interface LossRules {
  /** Where the proxy listens: an IP address and a port. All rules are about packets to it or from it. */
  readonly listen: Address
  /** The share of packets lost on their way from clients to the proxy, 0 to 1. */
  readonly upstreamLoss: number
  /** The same on the way from the proxy to clients. */
  readonly downstreamLoss: number
  /** Marks packets that are to be lost: 32 bits that nobody else uses. */
  readonly mark: number
}

/** A packet is lost if a random number below this is below the loss's share of it. */
const OUTCOMES = 1_000_000

/**
 * One table, which has all rules and the counters `upstream` and `downstream` of what was lost.
 *
 * What arrives is dropped where it arrives. What leaves must not be dropped where it leaves: the kernel tells its own TCP
 * of that, which then sends the packet again as if it never had, without a sign of congestion (EPERM from the output hook;
 * net/ipv4/tcp_output.c, tcp_write_xmit). So it is marked, goes astray to the loopback device, and is dropped when it
 * comes out there: its sender learns no more than from a network.
 *
 * @param table a name of letters, digits and underscores
 */
export function lossTable(table: string, { listen, upstreamLoss, downstreamLoss, mark }: LossRules): string {
  const port = wholeNumber(listen.port, 65_535)
  const marked = `meta mark ${wholeNumber(mark, 2 ** 32 - 1)}`
  const setMark = marked.replace('mark', 'mark set')
  return `table inet ${table} {
  counter upstream { }
  counter downstream { }
  chain arriving {
    type filter hook input priority filter; policy accept;
    ${matchAddress('daddr', listen.host)} tcp dport ${port} ${chance(upstreamLoss)} counter name upstream drop;
  }
  chain astray {
    meta nfproto ipv4 ip daddr set 127.0.0.1;
    meta nfproto ipv6 ip6 daddr set ::1;
  }
  chain leaving {
    type route hook output priority mangle; policy accept;
    ${matchAddress('saddr', listen.host)} tcp sport ${port} ${chance(downstreamLoss)} ${setMark} jump astray;
  }
  chain lost {
    type filter hook prerouting priority raw; policy accept;
    iifname "lo" ${marked} counter name downstream drop;
  }
}
`
}

/** What is below 1 is never all, and what is above 0 never nothing. */
function chance(loss: number): string {
  if (loss >= 1) return ''
  const below = loss <= 0 ? 0 : Math.min(Math.max(1, Math.round(loss * OUTCOMES)), OUTCOMES - 1)
  return `numgen random mod ${OUTCOMES} < ${wholeNumber(below, OUTCOMES)}`
}

/** All interfaces have no address of their own; then the port alone tells, which no one else can have. */
function matchAddress(field: 'saddr' | 'daddr', host: string): string {
  if (host === '::' || host === '0.0.0.0') return ''
  // A socket for both families that is bound to an address of IPv4 sends and gets packets of IPv4.
  const mapped = /^::ffff:(?<address>[\d.]+)$/i.exec(host)?.groups?.['address'] ?? host
  if (isIPv4(mapped)) return `ip ${field} ${mapped}`
  // A link's own address may come with the link's name (RFC 4007), which is not in the packets.
  const plain = mapped.replace(/%.*$/, '')
  if (isIPv6(plain)) return `ip6 ${field} ${plain}`
  throw new TypeError(`not an IP address: ${host}`)
}

function wholeNumber(value: number, maximum: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return value
  throw new RangeError(`not a whole number from 0 to ${maximum}: ${value}`)
}
