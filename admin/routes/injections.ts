// /v1/injections: what faults did.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import { limitSchema, proxySchema, sinceSchema, validateQuery } from './query.ts'

const querySchema = Type.Object({
  proxy: proxySchema,
  fault: Type.Optional(Type.String({ description: 'Only of faults of this name.' })),
  since: sinceSchema,
  limit: limitSchema,
})

export function injectionRoutes(app: FastifyInstance, network: Network): void {
  app.get('/injections', (request) => ({
    seed: network.seed,
    total: network.injections.total,
    injections: network.injections.entries(validateQuery(querySchema, request.query)),
  }))
}
