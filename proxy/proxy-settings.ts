// What a proxy is told, and what it counts.
import { Type } from '@sinclair/typebox'

export interface ProxySettings {
  /** `host:port` to accept clients on. Port 0 = any free one; no host = all interfaces. */
  readonly listen: string
  /** `host:port` of the server. Looked up for each connection. */
  readonly upstream: string
  /** A disabled proxy listens to nobody and has no connections. */
  readonly enabled: boolean
}

export type ProxyChange = Partial<ProxySettings>

export const proxyFields = {
  listen: Type.String({ minLength: 1, description: 'host:port to accept clients on; port 0 = any free one.' }),
  upstream: Type.String({ minLength: 1, description: 'host:port of the server.' }),
  enabled: Type.Boolean({ description: 'A disabled proxy listens to nobody.' }),
}

export const proxyChangeSchema = Type.Partial(Type.Object(proxyFields))

/** Counters of a proxy since it was created. With UDP each client's session counts as a connection. */
export interface ProxyCounters {
  acceptedConnections: number
  /** Connections whose upstream could not be reached. */
  failedDials: number
  /** Connections that could not be accepted, e.g. for want of file descriptors (EMFILE). */
  failedAccepts: number
  /** How often a fault held as much as it may, and so slowed the sender down (UDP: dropped a packet). */
  heldLimitsReached: number
  /** Connections whose bytes could not be understood, so that message faults can't act on them any more. */
  opaqueConnections: number
}

export function noCounts(): ProxyCounters {
  return { acceptedConnections: 0, failedDials: 0, failedAccepts: 0, heldLimitsReached: 0, opaqueConnections: 0 }
}
