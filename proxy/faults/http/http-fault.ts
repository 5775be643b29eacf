// What a fault of HTTP is: it looks at one request or answer whose match holds, and says what is to become of it.
import type { TSchema } from '@sinclair/typebox'
import type { Clock } from '../../clock.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { HttpHead } from '../../protocols/http/head.ts'
import { compileHttpMatch, httpMatchSchema, type HttpMatch } from '../../protocols/http/match.ts'
import type { HttpRequest } from '../../protocols/http/request.ts'
import type { Random } from '../../random.ts'
import type {
  Direction,
  FaultBuilder,
  FaultEnvironment,
  FaultFields,
  MessageFault,
  Stage,
  StageContext,
} from '../fault.ts'

export type { HttpHead } from '../../protocols/http/head.ts'
export type { HttpRequest } from '../../protocols/http/request.ts'
export { Schema, HoldingStage, Stage, invalidField } from '../fault.ts'
export type { FaultEnvironment, Held, StageContext } from '../fault.ts'

/** Before the request goes to the server, or before the answer goes to the client. */
export type HttpPhase = 'request' | 'response'

/** The message that a fault decides on. Only its head has come, unless the fault is asked with {@link Rewrite}. */
export interface HttpMessage {
  readonly phase: HttpPhase
  /** As it came, also when the message is its answer. */
  readonly request: HttpRequest
  /** As it will be sent: faults may edit it. */
  readonly head: HttpHead
  /** How the end of its body is known. */
  readonly body: 'none' | 'length' | 'chunked' | 'close'
  /** With `length`. */
  readonly contentLength: number
  /** Counts the requests of the connection, from 1. */
  readonly number: number
  /** Requests of this connection before it whose answers are not complete. */
  readonly outstanding: number
}

export interface HttpContext {
  readonly clock: Clock
  /** Keyed by seed, proxy, connection, direction and fault; draw by `at(message.number)`. */
  readonly random: Random
}

/** An answer of the proxy's own. Content-Length is added. */
export interface HttpAnswer {
  readonly status: number
  /** Default: the usual one. */
  readonly reason?: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** A whole body, decoded of its transfer and content coding, to be replaced. */
export interface Rewrite {
  readonly content: Buffer
  readonly head: HttpHead
}

/**
 * What becomes of a message.
 *
 * - `pass`: nothing happens, and nothing is put on record.
 * - `edited`: the head has been edited; `bodiless`: with it the message has ended, its body is dropped.
 * - `delay`: it goes on after this time. `hold`: after the fault has been removed.
 * - `answer`: it goes no further; the client gets this (requests only). Its body is read and dropped.
 * - `reset`, `close`: the connection is ended by RST or FIN, to both ends; the message goes no further.
 * - `raw`: these bytes go out in its place, then the connection is closed.
 * - `stages`: its head or its body's content goes through stages of the fault's own. Those record what they do. A
 *   stage's end() is the end of the head or body. `resized`: the body's length may change. `unframed`: the stage writes
 *   the body's bytes as they are to be on the wire, with chunk sizes if there shall be any.
 * - `rewrite`: called with the whole body, returns the new one. Content-Length is set to its length after that; the
 *   function may set `keepLength` to keep what it wrote there itself. Bodies above the limit pass unchanged.
 * - `duplicate`: the request is sent a second time right behind; the second answer is dropped.
 */
export type HttpVerdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'edited'; readonly action: string; readonly detail?: InjectionDetail; readonly bodiless?: boolean }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'hold' }
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | { readonly kind: 'reset' | 'close' }
  | { readonly kind: 'raw'; readonly bytes: Buffer; readonly action: string }
  | {
      readonly kind: 'stages'
      readonly head?: (context: StageContext) => Stage<unknown>
      readonly body?: (context: StageContext) => Stage<unknown>
      readonly resized?: boolean
      readonly unframed?: boolean
    }
  | {
      readonly kind: 'rewrite'
      readonly action: string
      readonly rewrite: (rewrite: Rewrite) => { readonly content: Buffer; readonly keepLength?: boolean } | undefined
    }
  | { readonly kind: 'duplicate' }

export const PASS: HttpVerdict = { kind: 'pass' }

/** A fault with its attributes, ready to decide. One for all connections of a proxy; made anew by each change. */
export interface HttpDecider {
  readonly phase: HttpPhase
  /** Its verdict is stages of the body, and may take hold in the middle of an answer that is on its way. */
  readonly joins?: boolean
  /** False for a message on which it can't act, e.g. without a body: such ones are not counted. Default: all can. */
  applies?(message: HttpMessage): boolean
  decide(message: HttpMessage, context: HttpContext): HttpVerdict
}

/** What the session runs: a decider and its match. */
export interface HttpRule extends HttpDecider {
  readonly kind: 'http'
  readonly match: HttpMatch
}

export interface HttpFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  /**
   * Checks what the schema can't say and prepares what can be prepared. `environment.field` gives an attribute's full
   * name.
   *
   * @throws FaultlineError by {@link invalidField}, naming an attribute
   */
  create(attributes: Attributes, environment: FaultEnvironment): HttpDecider
}

export type HttpFaultBuilder<Attributes extends object> = MessageFault & FaultBuilder<Attributes>

/** Defines a fault of HTTP: `protocol: http` carries it, its fields `match`, `skip` … are those of all message faults. */
export function defineHttpFault<Attributes extends object>(
  definition: HttpFaultDefinition<Attributes>,
): HttpFaultBuilder<Attributes> {
  const { type, describe, schema } = definition
  const fault: MessageFault = {
    type,
    layer: 'message',
    protocol: 'http',
    describe,
    schema,
    matchSchema: httpMatchSchema,
    compile({ attributes, match }: FaultFields, environment) {
      const decider = definition.create(attributes as Attributes, {
        ...environment,
        field: (name) => environment.field(`attributes.${name}`),
      })
      const direction: Direction = decider.phase === 'request' ? 'upstream' : 'downstream'
      const rule: HttpRule = {
        kind: 'http',
        phase: decider.phase,
        joins: decider.joins ?? false,
        applies: (message) => decider.applies?.(message) ?? true,
        decide: (message, context) => decider.decide(message, context),
        match: compileHttpMatch(match, decider.phase, environment.field('match')),
      }
      return { direction, rule }
    },
  }
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type, attributes })
  return Object.assign(build, fault)
}
