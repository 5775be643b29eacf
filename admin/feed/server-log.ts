// What happened to the server itself, beside its network: a bounded record, for the feed.
import type { InjectionDetail } from '../../proxy/injection-log.ts'
import { RecordLog, type Recorded } from '../../proxy/record-log.ts'

export type ServerEventType =
  | 'config_reloaded' // the configuration file has changed, and taken hold
  | 'config_rejected' // it can't be used: nothing has been changed

export interface ServerEvent extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly type: ServerEventType
  readonly detail: InjectionDetail
}

/** There is one a time that somebody saves a file. */
const KEPT_ENTRIES = 100

export class ServerLog extends RecordLog<ServerEvent> {
  constructor() {
    super(KEPT_ENTRIES)
  }

  /** Kept events, oldest first. */
  entries(): ServerEvent[] {
    return this.select(() => true)
  }
}
