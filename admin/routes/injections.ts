// /v1/injections: what faults did.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import { validateQuery } from './query.ts'

const DEFAULT_LIMIT = 1000
const MAX_LIMIT = 100_000

const querySchema = Type.Object({
  proxy: Type.Optional(Type.String({ description: 'Only of the proxy of this name.' })),
  fault: Type.Optional(Type.String({ description: 'Only of faults of this name.' })),
  since: Type.Integer({ default: 0, minimum: 0, description: 'Only with a sequence above this one.' }),
  limit: Type.Integer({ default: DEFAULT_LIMIT, minimum: 1, maximum: MAX_LIMIT, description: 'At most, the latest.' }),
})

export function injectionRoutes(app: FastifyInstance, network: Network): void {
  app.get('/injections', (request) => ({
    seed: network.seed,
    total: network.injections.total,
    injections: network.injections.entries(validateQuery(querySchema, request.query)),
  }))
}
