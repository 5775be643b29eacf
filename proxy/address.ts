// "host:port" as people write it and as Toxiproxy shows it. Not a URL parser.
import { FaultlineError } from './errors.ts'

export interface Address {
  /** Name or literal without brackets; empty means all interfaces. */
  readonly host: string
  readonly port: number
}

/**
 * Reads `host:port`, `[v6]:port` or `:port`; the port is a number from 0 to 65535.
 *
 * @throws FaultlineError `invalid_address`, worded as Go's net package words it, which Toxiproxy's users know
 */
export function parseAddress(text: string, field: string): Address {
  const fail = (problem: string): never => {
    throw new FaultlineError('invalid_address', `${field}: expected host:port, got address ${text}: ${problem}`, {
      field,
      expected: 'host:port',
    })
  }
  const colon = text.lastIndexOf(':')
  if (colon === -1 || text.endsWith(']')) return fail('missing port in address')
  const portText = text.slice(colon + 1)
  const bracketed = /^\[([^[\]]*)\]$/.exec(text.slice(0, colon))
  const host = bracketed?.[1] ?? text.slice(0, colon)
  if (!bracketed && host.includes(':')) return fail('too many colons in address')
  const port = Number(portText)
  if (!/^\d{1,5}$/.test(portText) || port > 65535) return fail('invalid port, expected a number from 0 to 65535')
  return { host, port }
}

/** An upstream that is not host:port is allowed, as with Toxiproxy: it can't be reached, and clients see that. */
export function parseUpstream(text: string): Address | undefined {
  try {
    return parseAddress(text, 'upstream')
  } catch {
    return undefined
  }
}

export function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
