// What a child process and its guard tell each other. JSON: no undefined, no functions.
import type { ProcessIdentity } from '../machine/process-identity.ts'

/** The argument that a guard is started with. */
export interface Guarded {
  /** That of the load; null where start times can't be had. */
  readonly process: ProcessIdentity | null
  /** That of whoever started it, proc_pid_oom_score_adj(5); null where there is none. */
  readonly outOfMemoryScore: string | null
}

/** What has to be undone: by whom of undoings.ts, and what it needs for it. */
export interface UndoOrder {
  readonly type: string
  readonly task: unknown
}

export type ToGuard =
  /** From now on this is to be undone, and nothing that was said before. */
  | { readonly kind: 'arm'; readonly order: UndoOrder }
  | { readonly kind: 'heartbeat' }
  /** All has been undone. */
  | { readonly kind: 'dismiss' }

export interface FromGuard {
  readonly kind: 'armed'
}
