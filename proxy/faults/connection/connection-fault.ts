// What a fault of connections is: it decides on a client that has been accepted, or ends connections after a time.
import type { TSchema } from '@sinclair/typebox'
import { compileConnectionMatch, connectionMatchSchema, type ConnectionMatcher } from '../../connection-match.ts'
import { invalidField, type ConnectionFault, type FaultBuilder } from '../fault.ts'

export { Type as Schema } from '@sinclair/typebox'

/**
 * What becomes of a client that has been accepted.
 *
 * - `reset`, `close`: RST or FIN at once; the server is not dialled.
 * - `hold`: nothing happens until the fault is removed; the server is not dialled, nothing is read.
 * - `queue`: as `hold`, until another connection has ended.
 * - `delay`: it goes on after this time; nothing flows before.
 */
export type Admission =
  | { readonly kind: 'reset' | 'close' | 'hold' | 'queue' }
  | { readonly kind: 'delay'; readonly delayMs: number }

/** When a connection is to be ended, and how. */
export interface ConnectionLimit {
  readonly afterMs: number
  /** Counted from the last byte in either direction, not from the beginning. */
  readonly idle: boolean
  readonly how: 'reset' | 'close'
}

/** A fault with its attributes. */
export interface ConnectionRule {
  /** Nobody listens: the kernel refuses. */
  readonly refuses?: boolean
  readonly limit?: ConnectionLimit
  /** @param live connections that there are, without those that wait; undefined = it goes on */
  admit?(live: number): Admission | undefined
}

/** What the proxy runs: a rule and its match. */
export interface CompiledConnectionRule extends ConnectionRule, ConnectionMatcher {}

export interface ConnectionFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  create(attributes: Attributes): ConnectionRule
}

/** Defines a fault of connections: all protocols over TCP carry it. */
export function defineConnectionFault<Attributes extends object>(
  definition: ConnectionFaultDefinition<Attributes>,
): ConnectionFault & FaultBuilder<Attributes> {
  const { type, describe, schema } = definition
  const fault: ConnectionFault = {
    type,
    layer: 'connection',
    describe,
    schema,
    matchSchema: connectionMatchSchema,
    compile({ attributes, match, chooses }, environment) {
      const made = definition.create(attributes as Attributes)
      if (made.refuses === true && (chooses || Object.keys(match).length > 0)) {
        const expected = 'no match, probability, skip, times or every: a listener is closed for all'
        throw invalidField(environment.field('type'), expected, type)
      }
      const rule: CompiledConnectionRule = { ...made, ...compileConnectionMatch(match, environment.field('match')) }
      return rule
    },
  }
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type, attributes })
  return Object.assign(build, fault)
}
