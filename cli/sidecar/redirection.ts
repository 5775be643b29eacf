// What `faultline sidecar` redirects, as it is written behind --port.
import { isIPv4, isIPv6 } from 'node:net'
import { UsageError } from '../errors.ts'
import type { Reader } from '../flags.ts'

/** Connections to a port that are to reach a proxy on this machine instead. */
export interface Redirection {
  /** An IP address without brackets: only connections to it. Undefined: to any. */
  readonly address: string | undefined
  readonly port: number
  /** Where the proxy listens, on loopback. */
  readonly proxyPort: number
}

const FORM = /^(?:(?<ipv4>[\d.]+):|\[(?<ipv6>[\da-f:.]+)\]:)?(?<port>\d{1,5}):(?<proxyPort>\d{1,5})$/i

/** `5432:15432`, `10.0.0.5:5432:15432` or `[fd00::5]:5432:15432`, as docker has it for published ports. */
export const redirection: Reader<Redirection> = {
  placeholder: '[ADDR:]PORT:PROXYPORT',
  expected: "a port and the proxy's port such as 5432:15432, or with the server's IP address 10.0.0.5:5432:15432",
  read(given) {
    const { ipv4, ipv6, port, proxyPort } = FORM.exec(given)?.groups ?? {}
    if (!isPort(port) || !isPort(proxyPort)) return undefined
    if (ipv4 !== undefined && !isIPv4(ipv4)) return undefined
    if (ipv6 !== undefined && !isIPv6(ipv6)) return undefined
    return { address: ipv4 ?? ipv6, port: Number(port), proxyPort: Number(proxyPort) }
  },
}

function isPort(digits: string | undefined): boolean {
  return Number(digits) >= 1 && Number(digits) <= 65_535
}

/** @throws UsageError if there is none, or two for the same connections */
export function checkRedirections(redirections: readonly Redirection[]): void {
  if (redirections.length === 0) throw new UsageError(`--port: missing, expected ${redirection.expected}`)
  const seen = new Set<string>()
  for (const { address, port } of redirections) {
    const target = targetText(address, port)
    if (seen.has(target)) throw new UsageError(`--port: expected one proxy for ${target}, got two`)
    seen.add(target)
  }
}

/** `port 5432`, `10.0.0.5:5432`. */
export function targetText(address: string | undefined, port: number): string {
  if (address === undefined) return `port ${port}`
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`
}
