// What happened beyond the acts of faults: proxies and faults that came and went, what could not be understood.
import type { InjectionDetail } from './injection-log.ts'
import type { SessionEvent } from './protocols/protocol.ts'
import { RecordLog, type Recorded } from './record-log.ts'

/** Why a fault is gone. */
export type RemovalReason =
  | 'request'
  | 'expired' // its time to live is up
  | 'lease' // the lease that held it has ended
  | 'heal'
  | 'stop' // the emergency stop

export type NetworkEventType =
  | SessionEvent
  | 'proxy_created'
  | 'proxy_changed'
  | 'proxy_removed'
  | 'fault_added'
  | 'fault_changed'
  | 'fault_removed' // `reason`: a RemovalReason
  | 'partition_created'
  | 'partition_healed'
  | 'lease_created'
  | 'lease_ended'
  | 'stopped'
  | 'resumed'
  | 'connection_opened'
  | 'connection_closed'

export interface NetworkEvent extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly type: NetworkEventType
  /** Undefined for what concerns the whole network. */
  readonly proxy?: string
  /** The connection's number on its proxy, from 1; undefined for what concerns none. */
  readonly connection?: number
  readonly detail: InjectionDetail
}

export interface EventFilter {
  readonly proxy?: string | undefined
  /** Only events with a sequence above this one. */
  readonly since?: number | undefined
  /** At most this many, the latest ones. */
  readonly limit?: number | undefined
}

export class EventLog extends RecordLog<NetworkEvent> {
  /** Kept events that pass the filter, oldest first. */
  entries({ proxy, since, limit }: EventFilter = {}): NetworkEvent[] {
    return this.select((entry) => proxy === undefined || entry.proxy === proxy, since, limit)
  }
}
