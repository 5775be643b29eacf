// The seam below a proxy: what listens to clients and carries what they send. Two kinds: streams (TCP), datagrams (UDP).
import type { Address } from './address.ts'
import type { ConnectionHost } from './connection.ts'
import type { CompiledConnectionRule } from './faults/connection/connection-fault.ts'
import type { Direction } from './faults/fault.ts'
import type { InjectionDetail } from './injection-log.ts'
import type { InstalledFault } from './installed-fault.ts'
import type { Traffic } from './pipe.ts'
import type { ProxyCounters } from './proxy-settings.ts'

/** A client that is served: a TCP connection, or the session of one UDP address and port. */
export interface LiveConnection {
  /** Counts up from 1 on its proxy, in the order of appearance. */
  readonly number: number
  /** The client's IP address. */
  readonly clientAddress: string
  /** On the network's clock. */
  readonly acceptedMs: number
  readonly traffic: Readonly<Record<Direction, Readonly<Traffic>>>
  /** Bytes held back by faults in both directions. */
  readonly heldBytes: number
  /** Whether a fault may act on it. */
  concerns(fault: InstalledFault): boolean
  /** Ends it by FIN to both ends, behind what has been passed on; with UDP nobody is told. */
  close(): void
  /** Ends it at once: by RST to both ends; with UDP nobody is told. */
  reset(): void
}

/** What a carrier needs from its proxy. */
export interface CarrierHost extends ConnectionHost {
  readonly counters: ProxyCounters
  /** As it was given. */
  readonly upstream: string
  /** Undefined if the upstream is not host:port: then it can't be reached. */
  readonly upstreamAddress: Address | undefined
  connectionEvent(connection: number, type: 'connection_opened' | 'connection_closed', detail: InjectionDetail): void
  /** A client could not be served, e.g. for want of file descriptors. */
  acceptFailed(error: Error): void
}

export interface Carrier {
  readonly connections: ReadonlySet<LiveConnection>
  readonly listening: boolean
  /**
   * Begins to listen.
   *
   * @returns the address with the port that it got
   * @throws FaultlineError `invalid_address`, `listen_failed`
   */
  open(listen: string): Promise<string>
  /** Stops listening at once; connections go on. */
  shut(): void
  /** Stops listening and ends all connections at once. Resolves when no socket is left. */
  close(): Promise<void>
  addFault(fault: InstalledFault): void
  /** Its settings have changed. `before` are the faults that were created before it. */
  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void
  /** What it holds passes on at once. */
  removeFault(fault: InstalledFault): void
}

/** Whether nobody is to listen because of this fault. */
export function refusesClients({ definition, rule }: InstalledFault): boolean {
  if (definition.layer === 'datagram') return definition.refuses === true
  return definition.layer === 'connection' && (rule as CompiledConnectionRule).refuses === true
}

/** What is said of a connection that has ended. */
export function describeEnd({ acceptedMs, traffic }: LiveConnection, nowMs: number): InjectionDetail {
  return {
    ageMs: Math.round(nowMs - acceptedMs),
    upstreamBytes: traffic.upstream.receivedBytes,
    downstreamBytes: traffic.downstream.receivedBytes,
  }
}
