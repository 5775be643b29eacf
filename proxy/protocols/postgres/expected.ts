// The answers that are still to come from the server, in the order of what was asked, and what is to become of each.
import type { AnswerPlan, PgErrorFields } from '../../faults/postgres/postgres-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'

export type Asked =
  | 'startup'
  | 'query'
  | 'function'
  | 'parse'
  | 'bind'
  | 'describe'
  | 'execute'
  | 'close'
  | 'sync'
  /** No answer comes to this: the client has ended its part of COPY FROM STDIN. */
  | 'copyEnd'

/** An error that the server has been made to report, to be rewritten when it comes. */
export interface Firing {
  readonly fault: InstalledFault | undefined
  /** In the server's message; nothing else in the world contains it. */
  readonly nonce: string
  /** SQLSTATE of what was provoked. */
  readonly provokes: string
  readonly error: PgErrorFields
  /** The error is sent as a notice, and the connection ends. */
  readonly notice: boolean
  readonly action: string
  readonly detail: InjectionDetail
  /** The value of the key that has been counted. */
  readonly key: string
}

/** What is to become of an answer, as its fault has planned it. */
export interface Gate {
  readonly fault: InstalledFault
  /** The statement's number in its simple query. */
  readonly part: number
  readonly what:
    | { readonly kind: 'answer'; readonly plan: AnswerPlan }
    | { readonly kind: 'pace'; readonly everyRows: number; readonly delayMs: (row: number) => number }
  readonly detail: InjectionDetail
  /** The value of the key that has been counted. */
  readonly key: string
  /** It has come to what was planned. */
  acted: boolean
}

/** One answer of the server. Those that nothing is to become of are shared: {@link plain}. */
export interface Expected {
  readonly asked: Asked
  /** Something is to become of it. */
  readonly special: boolean
  /** The client has not asked for it: nothing of it passes, but errors where {@link Expected.passErrors} says so. */
  readonly hidden?: boolean
  /** `hidden`: an error takes the place of what the client waits for; what it asked for is not to be sent any more. */
  readonly passErrors?: boolean
  /** `hidden`: but ReadyForQuery passes, the client waits for one. */
  readonly passReady?: boolean
  /** Complete results of a simple query that do not pass, by their number from 0. */
  readonly droppedCompletes?: readonly number[]
  /** A result's end is not sent if the error follows it: it stands in its place. */
  readonly errorReplacesComplete?: boolean
  /** `execute`: PortalSuspended does not pass. */
  readonly dropSuspended?: boolean
  readonly firing?: Firing
  readonly gates?: readonly Gate[]
  /** Called when it is complete or given up. */
  readonly done?: (failed: boolean) => void
  // What has come of it.
  completes: number
  rows: number
  failed: boolean
}

export type Special = Omit<Expected, 'asked' | 'special' | 'completes' | 'rows' | 'failed'>

const shared = new Map<Asked, Expected>()

/** Nothing is to become of it: an object for all, as this is asked for with every message. */
export function plain(asked: Asked): Expected {
  let expected = shared.get(asked)
  if (!expected)
    shared.set(asked, (expected = Object.freeze({ asked, special: false, completes: 0, rows: 0, failed: false })))
  return expected
}

export function special(asked: Asked, what: Special): Expected {
  return { asked, special: true, ...what, completes: 0, rows: 0, failed: false }
}

/** An answer that ends with ReadyForQuery. */
export function endsWithReady(asked: Asked): boolean {
  return asked === 'query' || asked === 'sync' || asked === 'function' || asked === 'startup'
}
