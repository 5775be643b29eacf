// A connection that dies at a chosen point of an exchange.
import { checkCut, cutFields, cutStage, EndingStage, type CutAttributes } from './cut.ts'
import { endField, endSignal, givenOf, hasBody } from './fields.ts'
import { defineHttpFault, invalidField, Schema, type HttpDecider } from './http-fault.ts'

/** Passes the head on, then ends the connection. */
class EndBehindStage extends EndingStage<'reset' | 'close'> {
  override write(head: Buffer): void {
    this.next.write(head)
  }

  override end(): void {
    this.context.record(this.attributes)
    this.endConnection(this.attributes)
  }
}

export const httpReset = defineHttpFault({
  type: 'http_reset',
  describe: 'Ends the connection, to client and server, at a chosen point of an exchange. RST as on the wire, or FIN.',
  schema: Schema.Object({
    when: Schema.Union(
      [
        Schema.Literal('before_request'),
        Schema.Literal('before_headers'),
        Schema.Literal('after_headers'),
        Schema.Literal('mid_body'),
      ],
      {
        default: 'before_request',
        description:
          'before_request: the server does not get the request. before_headers: it has answered, the client gets nothing. ' +
          "after_headers: the client gets the answer's head. mid_body: and a part of its body; answers without one pass.",
      },
    ),
    mode: endField('rst'),
    ...cutFields,
  }),
  create(attributes, environment) {
    const { when } = attributes
    checkCut(attributes, environment)
    const given = givenOf(attributes, ['afterBytes', 'fraction'], environment)
    if (given && when !== 'mid_body') {
      throw invalidField(environment.field(given), 'nothing, as only mid_body looks at it', attributes[given])
    }
    return decider(when, endSignal(attributes.mode), attributes)
  },
})

function decider(when: string, signal: 'reset' | 'close', cut: CutAttributes): HttpDecider {
  switch (when) {
    case 'before_request':
      return { phase: 'request', decide: () => ({ kind: signal }) }
    case 'before_headers':
      return { phase: 'response', decide: () => ({ kind: signal }) }
    case 'after_headers':
      return {
        phase: 'response',
        decide: () => ({ kind: 'stages', head: (context) => new EndBehindStage(signal, context) }),
      }
    default:
      return {
        phase: 'response',
        applies: hasBody,
        decide: (message) => ({ kind: 'stages', body: cutStage(cut, message, signal, signal) }),
      }
  }
}
