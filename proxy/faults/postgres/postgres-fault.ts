// What a fault of Postgres is: it looks at one statement, or at a connection, whose match holds, and says what is to
// become of it. The session makes the server itself do what can be done by the server.
import type { TSchema } from '@sinclair/typebox'
import type { Clock } from '../../clock.ts'
import type { PgErrorFields } from '../../protocols/postgres/error-fields.ts'
import { compilePostgresMatch, postgresMatchSchema, type PostgresMatch } from '../../protocols/postgres/match.ts'
import type { SqlStatement } from '../../protocols/postgres/sql.ts'
import type { Random } from '../../random.ts'
import {
  invalidField,
  type Direction,
  type FaultBuilder,
  type FaultEnvironment,
  type FaultFields,
  type MessageFault,
} from '../fault.ts'

export type { PgErrorFields } from '../../protocols/postgres/error-fields.ts'
export { Schema, invalidField } from '../fault.ts'
export type { FaultEnvironment } from '../fault.ts'

/**
 * When a fault is asked.
 *
 * - `startup`: a client has said who it is; nothing has gone to the server.
 * - `statement`: a statement is to be run: one of a simple query, an Execute, a call of a function.
 * - `parse`, `bind`, `describe`: these messages of the extended query protocol.
 * - `idle`: the connection has become idle: nothing is being asked, in a transaction or not.
 * - `ready`: the connection is idle outside transactions: the proxy may use it for statements of its own.
 */
export type PostgresMoment = 'startup' | 'statement' | 'parse' | 'bind' | 'describe' | 'idle' | 'ready'

/** As far as it is known: answers that are on their way may change it. */
export type TransactionState = 'idle' | 'open' | 'failed'

/** The client's own words. */
export interface PostgresConnection {
  readonly user: string
  readonly database: string
  readonly applicationName: string
}

/** What a fault decides on. */
export interface PostgresEvent {
  readonly connection: PostgresConnection
  /** Before it. */
  readonly transaction: TransactionState
  /** `simple`: of a simple query, `extended`: by Parse, Bind and Execute, `function`: FunctionCall, `none`: no statement. */
  readonly via: 'simple' | 'extended' | 'function' | 'none'
  /** Undefined without one, or if it is too long to be looked at. */
  readonly sql: SqlStatement | undefined
  /** With `simple`: the only one of its query. */
  readonly only: boolean
  /** With `simple`: no statement behind it in its query ends or begins a transaction. */
  readonly undivided: boolean
  /** With `extended`: rows that the client wants at most, 0 = all. */
  readonly maxRows: number
  /** Counts the events of the connection, from 1. */
  readonly number: number
}

/** How a statement is made to fail. */
export type FailurePoint =
  /** In place of running. */
  | { readonly at: 'instead' }
  /** After running, with its results sent and its effects undone. */
  | { readonly at: 'after' }
  /** When it is committed: the results of an implicit transaction have been sent by then. */
  | { readonly at: 'commit' }
  /** After so many rows. */
  | { readonly at: 'rows'; readonly rows: number }
  /** During COPY FROM STDIN, after so many bytes of data. */
  | { readonly at: 'copy'; readonly bytes: number }

/** What is to become of the answer to one statement. */
export interface AnswerPlan {
  /**
   * Where: at its first byte; after so many rows (`part`: and half of the next one); when the transaction's end is known
   * (nothing of the answer passes until then).
   */
  readonly at:
    | { readonly kind: 'start' | 'ready' }
    | { readonly kind: 'rows'; readonly rows: number; readonly part: boolean }
  /** RST to both ends, silence until the fault is removed, or this error with the end of the connection. */
  readonly end: 'reset' | 'hold' | { readonly error: PgErrorFields; readonly notice?: boolean }
  readonly action: string
}

/**
 * What becomes of a statement, a message or a connection.
 *
 * - `fail`: the server makes it fail, and its error is rewritten into this one. FATAL ends the connection.
 * - `delay`: before it goes to the server, or inside the server, which is then busy.
 * - `reset`: RST to both ends; it does not reach the server.
 * - `end`: the connection ends with this error (or notice), as servers end it; with `send` the statement goes up first.
 * - `answer`: its answer is disturbed. `pace`: so many milliseconds before each nth row.
 * - `refuse`, `hang`: startup only: the connection comes so far and no further.
 * - `run`: `ready` only: the server runs this SQL, the client does not see the answers.
 */
export type PostgresVerdict =
  | { readonly kind: 'fail'; readonly error: PgErrorFields; readonly point: FailurePoint; readonly notice?: boolean }
  | { readonly kind: 'delay'; readonly delayMs: number; readonly inServer: boolean }
  | { readonly kind: 'reset' }
  | { readonly kind: 'end'; readonly error: PgErrorFields; readonly notice: boolean; readonly send: boolean }
  | { readonly kind: 'answer'; readonly plan: AnswerPlan }
  | { readonly kind: 'pace'; readonly everyRows: number; readonly delayMs: (row: number) => number }
  | { readonly kind: 'refuse'; readonly error: PgErrorFields; readonly at: StartupPoint }
  | { readonly kind: 'hang'; readonly at: StartupPoint }
  | { readonly kind: 'run'; readonly sql: string; readonly action: string; readonly undo?: string }

/** Before the server hears of it; in place of the server's word that the password is right; when it is let in. */
export type StartupPoint = 'startup' | 'password' | 'authenticated'

export interface PostgresContext {
  readonly clock: Clock
  /** Keyed by seed, proxy, connection and fault; draw by `at(event.number)`. */
  readonly random: Random
}

/** A fault with its attributes, ready to decide. One for all connections of a proxy; made anew by each change. */
export interface PostgresDecider {
  readonly moment: PostgresMoment
  /** `idle` and `ready`: asked so long after the moment, if nothing has happened since. Default 0. */
  readonly afterMs?: number
  /** `ready`: asked once on a connection, not each time. */
  readonly once?: boolean
  /** Messages of a client that does not wait for answers are held back, so that there is a moment between two. */
  readonly serialize?: boolean
  /** Whether it can act on this; what it can't act on is not counted. A text says why not, to be told. Default: it can. */
  applies?(event: PostgresEvent): boolean | string
  decide(event: PostgresEvent, context: PostgresContext): PostgresVerdict
}

/** What the session runs: a decider and its match. */
export interface PostgresRule extends PostgresDecider {
  readonly kind: 'postgres'
  readonly match: PostgresMatch
}

export interface PostgresFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  /**
   * Checks what the schema can't say and prepares what can be prepared.
   *
   * @param match what has been asked for, to refuse what can't work or to set a default by {@link PostgresFaultDefinition.match}
   * @throws FaultlineError by {@link invalidField}, naming an attribute
   */
  create(attributes: Attributes, environment: FaultEnvironment, match: PostgresMatchFields): PostgresDecider
  /** Holds where the user's match does not say otherwise, e.g. `{ statement: 'commit' }`. */
  readonly match?: PostgresMatchFields
}

export type PostgresMatchFields = Readonly<Record<string, unknown>>

export type PostgresFaultBuilder<Attributes extends object> = MessageFault & FaultBuilder<Attributes>

/** What counts may be kept by. */
export const postgresKeys = ['user', 'database', 'applicationName', 'query'] as const

/** Defines a fault of Postgres: `protocol: postgres` carries it, its fields `match`, `skip` … are those of all message faults. */
export function definePostgresFault<Attributes extends object>(
  definition: PostgresFaultDefinition<Attributes>,
): PostgresFaultBuilder<Attributes> {
  const { type, describe, schema } = definition
  const fault: MessageFault = {
    type,
    layer: 'message',
    protocol: 'postgres',
    describe,
    schema,
    matchSchema: postgresMatchSchema,
    keys: postgresKeys,
    compile({ attributes, match }: FaultFields, environment) {
      const wanted = { ...definition.match, ...match } as PostgresMatchFields
      const named = { ...environment, field: (name: string) => environment.field(`attributes.${name}`) }
      const decider = definition.create(attributes as Attributes, named, wanted)
      const compiled = compilePostgresMatch(wanted, environment.field('match'))
      const withoutStatement = ['startup', 'idle', 'ready'].includes(decider.moment)
      if (compiled.asksStatement && withoutStatement) {
        const expected = 'only database, user and applicationName, as this fault is about connections'
        throw invalidField(environment.field('match'), expected, match)
      }
      const direction: Direction = 'downstream'
      const rule: PostgresRule = {
        kind: 'postgres',
        moment: decider.moment,
        afterMs: decider.afterMs ?? 0,
        once: decider.once ?? false,
        serialize: decider.serialize ?? false,
        applies: (event) => decider.applies?.(event) ?? true,
        decide: (event, context) => decider.decide(event, context),
        match: compiled,
      }
      return { direction, rule }
    },
  }
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type, attributes })
  return Object.assign(build, fault)
}
