// What happened to the server itself and its experiments, beside its network: a bounded record, for the feed.
import type { InjectionDetail } from '../../proxy/injection-log.ts'
import { RecordLog, type Recorded } from '../../proxy/record-log.ts'

export type ServerEventType =
  | 'config_reloaded' // the configuration file has changed, and taken hold
  | 'config_rejected' // it can't be used: nothing has been changed
  | 'experiment_started' // its preparation begins
  | 'experiment_phase' // any phase begins
  | 'experiment_step' // one acts, is undone, or has failed
  | 'experiment_breached' // a limit of its safety; it is stopped next
  | 'experiment_stopping' // it ends before its time: everything is being reverted
  | 'experiment_finished' // with its outcome; also one that was stopped before it ran

export interface ServerEvent extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly type: ServerEventType
  readonly detail: InjectionDetail
}

/** There is one a time that somebody saves a file, and some dozens an experiment. */
const KEPT_ENTRIES = 1000

export class ServerLog extends RecordLog<ServerEvent> {
  constructor() {
    super(KEPT_ENTRIES)
  }

  /** Kept events, oldest first. */
  entries(): ServerEvent[] {
    return this.select(() => true)
  }
}
