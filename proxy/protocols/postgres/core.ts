// The session of a connection as its parts see it: the two flows, the entrance, encryption, decisions.
import type { Direction } from '../../faults/fault.ts'
import type {
  PgErrorFields,
  PostgresConnection,
  PostgresEvent,
  PostgresMoment,
  PostgresRule,
  PostgresVerdict,
  TransactionState,
} from '../../faults/postgres/postgres-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { SessionHost } from '../protocol.ts'
import type { Encryption } from './encryption.ts'
import type { Expected, Firing } from './expected.ts'
import type { Login } from './login.ts'
import type { Fate, MessageFlow } from './message-flow.ts'
import type { PostgresOptions } from './options.ts'
import type { StatementKind } from './sql.ts'

/** Answers that may be waited for; then the client is not read until one has come. */
export const MAX_OUTSTANDING = 10_000

/** The flow of the client's messages, for others. */
export interface Requests extends MessageFlow {
  /** Nothing is to be waited for that has not come: all answers have, or the server waits for the client. */
  becameIdle(): void
}

/** The flow of the server's messages, for others. */
export interface Replies extends MessageFlow {
  readonly login: Login
  /** The next byte answers a request for encryption; `then` says what becomes of it. */
  expectEncryption(then: (answer: number) => Fate): void
}

export interface PostgresCore {
  readonly host: SessionHost
  readonly options: PostgresOptions
  readonly requests: Requests
  readonly replies: Replies
  readonly encryption: Encryption

  /** It is a replica's, for physical replication: it does not speak SQL. */
  replicates: boolean

  // ---- faults
  of(moment: PostgresMoment): readonly InstalledFault[]
  installed(fault: InstalledFault): boolean
  /** Whether any fault may act on statements of this kind. */
  asksAbout(kind: StatementKind): boolean
  /** Whether a fault is about this connection at all. */
  concerns(fault: InstalledFault): boolean
  /** Counts an event that matches; true if the fault acts on it. */
  selects(fault: InstalledFault, event: PostgresEvent): boolean
  decide(fault: InstalledFault, event: PostgresEvent): PostgresVerdict
  record(fault: InstalledFault, action: string, detail: InjectionDetail): void
  notApplied(fault: InstalledFault, reason: string): void
  /** SQL has come that a fault's match could only look at as text. */
  notUnderstood(fault: InstalledFault): void
  /** Calls back once, when the fault is gone. */
  whenRemoved(fault: InstalledFault, callback: () => void): void

  // ---- the connection
  readonly connection: PostgresConnection
  renamed(connection: PostgresConnection): void
  /** After what has been sent, as far as is known. */
  transaction: TransactionState
  /** The client has been let in. */
  started: boolean
  setCancelKey(key: string): void
  nextNumber(): number
  /** An event without a statement. */
  bareEvent(): PostgresEvent

  // ---- asking and being answered
  /** What has been asked and not been answered, the oldest first. */
  readonly queue: Expected[]
  /** By nonce. */
  readonly firings: Map<string, Firing>
  /** An error has come: everything up to the next Sync is skipped by the server. */
  readonly skipping: boolean
  /** COPY FROM STDIN is on: the server takes no notice of Sync. */
  copyIn: boolean
  /** Something has been sent to which the server answers. */
  expect(expected: Expected): void
  /** Its answer will not come. */
  giveUp(expected: Expected): void
  /** Its answer has come to its end. */
  settle(answered: Expected): void
  /** An error has come in answer to a message of the extended protocol. */
  skipToSync(): void
  /** ReadyForQuery: all up to what it answers is done. */
  ready(status: number): Expected | undefined
  readonly busy: boolean

  // ---- when nothing happens
  /** Whether anything may be to be done when the connection becomes idle. */
  readonly attends: boolean
  /** Whether messages of a client that does not wait for answers are to be held back. */
  readonly serializes: boolean
  notIdle(): void
  /** Whether the client is waiting for nothing and has said nothing. */
  readonly isIdle: boolean
  becameIdle(ofClient: boolean): void
  /** See {@link IdleMoments.use}. */
  useIdle(withReady: boolean, ofClient: boolean): boolean

  // ---- the end
  endWith(error: PgErrorFields, notice: boolean): void
  closeUnanswered(): void
  resetBoth(behindBytes: boolean): void
  opaque(reason: string, direction: Direction): void
}

export function ruleOf(fault: InstalledFault): PostgresRule {
  return fault.rule as PostgresRule
}

/** The value of what a fault's counts are kept by. */
export function keyOf(fault: InstalledFault, event: PostgresEvent): string {
  switch (fault.key) {
    case 'user':
    case 'database':
    case 'applicationName':
      return event.connection[fault.key]
    case 'query':
      return event.sql?.text ?? ''
    default:
      return ''
  }
}
