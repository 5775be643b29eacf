// What happened beyond faults and users should know, e.g. that the bytes of a connection can't be understood.
import type { InjectionDetail } from './injection-log.ts'
import type { SessionEvent } from './protocols/protocol.ts'
import { RecordLog, type Recorded } from './record-log.ts'

export interface NetworkEvent extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly type: SessionEvent
  /** The connection's number on its proxy, from 1. */
  readonly connection: number
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
