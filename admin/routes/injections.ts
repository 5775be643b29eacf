// /v1/injections: what faults did, as a document or as lines.
import { Readable } from 'node:stream'
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Injection, Network } from '../../proxy/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { asksFor } from './accept.ts'
import { limitSchema, proxySchema, sinceSchema } from './query.ts'

/** A JSON document a line (github.com/ndjson/ndjson-spec). */
const NDJSON = 'application/x-ndjson'

/** Made at a time, so that proxies get their turn in between. */
const LINES_AT_A_TIME = 200

const querySchema = Type.Object({
  proxy: proxySchema,
  fault: Type.Optional(Type.String({ description: 'Only of faults of this name.' })),
  since: sinceSchema,
  limit: limitSchema,
})

export const injectionSchema = Type.Object({
  sequence: Type.Integer({ description: 'Counts up through all injections.' }),
  timeMs: Type.Number({ description: 'Milliseconds since the Unix epoch.' }),
  proxy: Type.String(),
  connection: Type.Integer({ description: 'Its number on its proxy; 0 for what was done to the proxy as a whole.' }),
  direction: Type.Union([Type.Literal('upstream'), Type.Literal('downstream')]),
  fault: Type.String({ description: "The fault's name." }),
  type: Type.String({ description: "The fault's type." }),
  action: Type.String({ description: 'What was done.' }),
  detail: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()])),
})

export const injectionListSchema = Type.Object({
  seed: Type.Integer({ description: 'What every random choice was made by.' }),
  total: Type.Integer({ description: 'Injections so far, also those that are forgotten.' }),
  injections: Type.Array(injectionSchema),
})

export function injectionRoutes(app: FastifyInstance, network: Network): void {
  app.get<{ Querystring: Static<typeof querySchema> }>(
    '/injections',
    describeRoute({
      id: 'listInjections',
      tag: 'records',
      summary: 'What faults did',
      query: querySchema,
      answers: { 200: { 'application/json': 'InjectionList', [NDJSON]: 'InjectionLines' } },
      errors: [400],
    }),
    (request, reply) => {
      const injections = network.injections.entries(request.query)
      if (asksFor(request.headers.accept, NDJSON)) return reply.type(NDJSON).send(Readable.from(toLines(injections)))
      return reply.send({ seed: network.seed, total: network.injections.total, injections })
    },
  )
}

async function* toLines(injections: readonly Injection[]): AsyncGenerator<string> {
  for (let start = 0; start < injections.length; start += LINES_AT_A_TIME) {
    const lines = injections.slice(start, start + LINES_AT_A_TIME).map((injection) => `${JSON.stringify(injection)}\n`)
    yield lines.join('')
  }
}
