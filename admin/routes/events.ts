// /v1/events: what happened beyond faults.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import { limitSchema, proxySchema, sinceSchema, validateQuery } from './query.ts'

const querySchema = Type.Object({ proxy: proxySchema, since: sinceSchema, limit: limitSchema })

export function eventRoutes(app: FastifyInstance, network: Network): void {
  app.get('/events', (request) => ({
    total: network.events.total,
    events: network.events.entries(validateQuery(querySchema, request.query)),
  }))
}
