// What a route says of itself in the OpenAPI document. Schemas are referred to by the names that components.ts has.
import type { TObject } from '@sinclair/typebox'
import type { FastifySchema } from 'fastify'
import type { ComponentName } from './component-name.ts'

export interface Operation {
  /** Unique in the document; what generated clients call it. */
  readonly id: string
  /** The group that documents and clients show it in. */
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** What the names in the path are. */
  readonly params?: TObject
  /** Query parameters; requests are checked against it. */
  readonly query?: TObject
  /** The body, which the data plane checks against the schemas that this one is made of. */
  readonly body?: ComponentName
  /** Status of a success, and the schema of its body; null = there is none. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Errors beside those that every route may have. */
  readonly errors?: readonly number[]
}

export type Answer = ComponentName | null | { readonly [mediaType: string]: ComponentName }

export type Tag =
  | 'proxies'
  | 'faults'
  | 'partitions'
  | 'stressors'
  | 'experiments'
  | 'connections'
  | 'records'
  | 'safety'
  | 'server'

const PROBLEM_JSON = 'application/problem+json'

const successes: Readonly<Record<number, string>> = { 200: 'Done.', 201: 'Created.', 202: 'Begun.', 204: 'Done.' }

const errors: Readonly<Record<number, string>> = {
  400: 'Something in the request is wrong: `field` and `expected` say what.',
  403: 'This is not permitted, or not yet.',
  404: 'There is none of this name or id.',
  409: 'The name or the address is taken; or the machine can not bear it; or it is not the time for it.',
  422: "The proxy's protocol can not carry this fault; or the network is not as the experiment wants it.",
  423: 'The emergency stop is on.',
  429: 'There are as many as there may be.',
  503: 'There are as many readers of streams as there may be.',
}

export function reference(name: ComponentName): { readonly $ref: string } {
  return { $ref: `#/components/schemas/${name}` }
}

/** For a route's options. */
export function describeRoute(operation: Operation): { readonly schema: FastifySchema } {
  return { schema: toSchema(operation) }
}

function toSchema(operation: Operation): FastifySchema {
  const { id, tag, summary, description, params, query, body, answers } = operation
  const problem = { [PROBLEM_JSON]: { schema: reference('Problem') } }
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(params && { params }),
    ...(query && { querystring: query }),
    ...(body && { body: reference(body) }),
    response: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, answer]) => [status, describeAnswer(status, answer)]),
      ),
      ...Object.fromEntries((operation.errors ?? []).map((status) => [status, describeError(status, problem)])),
      default: { description: 'Something went wrong.', content: problem },
    },
  }
}

function describeError(status: number, content: object): object {
  return { description: errors[status] ?? 'Something is wrong.', content }
}

function describeAnswer(status: string, answer: Answer): object {
  const description = successes[Number(status)] ?? 'Done.'
  if (answer === null) return { description, type: 'null' }
  const schemas = typeof answer === 'string' ? { 'application/json': answer } : answer
  const content = Object.entries(schemas).map(([type, name]) => [type, { schema: reference(name) }])
  return { description, content: Object.fromEntries(content) as object }
}
