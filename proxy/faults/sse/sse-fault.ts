// What faults of server-sent events share: they act on answers of type text/event-stream, also on those on their way.
import type { TSchema } from '@sinclair/typebox'
import {
  defineHttpFault,
  type HttpFaultBuilder,
  type HttpHead,
  type Stage,
  type StageContext,
} from '../http/http-fault.ts'

export interface SseFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  /** True if bytes get lost, so that a Content-Length can't hold. */
  readonly resized: boolean
  create(attributes: Attributes, context: StageContext): Stage<Attributes>
}

/**
 * Defines a fault of server-sent events. It neither acts on other answers nor counts them, nor those with a content
 * coding, e.g. gzip, as their events can't be seen. On an answer that is on its way it takes hold where that is: events
 * count from there, and one of which a part has passed is taken for what is left of it.
 */
export function defineSseFault<Attributes extends object>(
  definition: SseFaultDefinition<Attributes>,
): HttpFaultBuilder<Attributes> {
  const { type, describe, schema, resized } = definition
  return defineHttpFault<Attributes>({
    type,
    describe,
    schema,
    create: (attributes) => ({
      phase: 'response',
      joins: true,
      applies: ({ head, body }) => body !== 'none' && isPlainEventStream(head),
      decide: () => ({ kind: 'stages', body: (context) => definition.create(attributes, context), resized }),
    }),
  })
}

function isPlainEventStream(head: HttpHead): boolean {
  const type = (head.header('content-type') ?? '').split(';', 1)[0] ?? ''
  const coding = (head.header('content-encoding') ?? '').trim().toLowerCase()
  return type.trim().toLowerCase() === 'text/event-stream' && (coding === '' || coding === 'identity')
}
