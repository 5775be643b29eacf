// What a fault of WebSocket is: a stage that disturbs the messages of one direction whose match holds.
import type { TSchema } from '@sinclair/typebox'
import { compileWebSocketMatch, webSocketMatchSchema, type WebSocketMatch } from '../../protocols/websocket/match.ts'
import type { FaultBuilder, FaultEnvironment, FaultFields, MessageFault } from '../fault.ts'
import type { MessageContext, MessageStage } from './message-stage.ts'

export { invalidField, Schema } from '../fault.ts'
export type { Held } from '../fault.ts'
export type { InjectionDetail } from '../../injection-log.ts'
export { MessageStage, type MessageContext, type WebSocketMessage } from './message-stage.ts'

/** What the session runs. Made anew by each change of the fault. */
export interface WebSocketRule {
  readonly kind: 'websocket'
  readonly match: WebSocketMatch
  readonly attributes: object
  /** Makes the running form for one connection. Must not act yet: {@link MessageStage.start} comes later. */
  createStage(context: MessageContext): MessageStage<unknown>
}

export interface WebSocketFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  /**
   * Checks what the schema can't say. `environment.field` gives an attribute's full name.
   *
   * @throws FaultlineError by {@link invalidField}, naming an attribute
   */
  check?(attributes: Attributes, environment: FaultEnvironment): void
  create(attributes: Attributes, context: MessageContext): MessageStage<Attributes>
}

/**
 * Defines a fault of WebSocket: `protocol: http` carries it on connections that were upgraded, in the direction that
 * the spec says. Its `match` is on the handshake's request and on the message; `skip`, `times`, `every` and
 * `probability` count the messages that match, for each value of the handshake's header `key`.
 */
export function defineWebSocketFault<Attributes extends object>(
  definition: WebSocketFaultDefinition<Attributes>,
): MessageFault & FaultBuilder<Attributes> {
  const { type, describe, schema } = definition
  const fault: MessageFault = {
    type,
    layer: 'message',
    protocol: 'http',
    describe,
    schema,
    matchSchema: webSocketMatchSchema,
    compile(fields: FaultFields, environment) {
      const attributes = fields.attributes as Attributes
      const field = (name: string): string => environment.field(`attributes.${name}`)
      definition.check?.(attributes, { ...environment, field })
      const rule: WebSocketRule = {
        kind: 'websocket',
        match: compileWebSocketMatch(fields.match, environment.field('match')),
        attributes,
        createStage: (context) => definition.create(attributes, context),
      }
      return { direction: fields.direction, rule }
    },
  }
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type, attributes })
  return Object.assign(build, fault)
}
