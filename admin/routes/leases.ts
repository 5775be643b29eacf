// /v1/leases: faults, partitions and stressors that are held by one end when its holder does not renew it any more.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import type { Lease, LeaseSpec } from '../../proxy/leases.ts'
import { describeRoute } from '../openapi/operation.ts'
import { leasePathSchema, requireLease, type LeasePath } from './paths.ts'

const tag = 'safety'
const params = leasePathSchema

export const leaseSchema = Type.Object({
  id: Type.String(),
  ttlMs: Type.Integer({ description: 'How long it lasts after it was made or renewed, in milliseconds.' }),
  remainingMs: Type.Integer({ description: 'What is left of that.' }),
  holds: Type.Integer({ description: 'Faults, partitions and stressors that end with it.' }),
  experiment: Type.Boolean({ description: 'It is to hold an experiment.' }),
  ahead: Type.Integer({
    description: 'How many experiments have to end before it is the turn of this one, and it can hold something.',
  }),
})

export const leaseListSchema = Type.Object({ leases: Type.Array(leaseSchema) })

function viewLease({ id, ttlMs, leftMs, holds, experiment, ahead }: Lease): Static<typeof leaseSchema> {
  return { id, ttlMs, remainingMs: Math.ceil(leftMs), holds, experiment, ahead }
}

export function leaseRoutes(app: FastifyInstance, network: Network): void {
  app.get(
    '/leases',
    describeRoute({ id: 'listLeases', tag, summary: 'Leases that have not ended', answers: { 200: 'LeaseList' } }),
    () => ({ leases: [...network.leases].map(viewLease) }),
  )

  app.post(
    '/leases',
    describeRoute({
      id: 'createLease',
      tag,
      summary: 'A lease to hold faults by',
      description: 'What names its id ends with it: soon after its holder has stopped renewing it.',
      body: 'LeaseSpec',
      answers: { 201: 'Lease' },
      errors: [400, 429],
    }),
    (request, reply) => {
      const lease = network.leases.create(request.body as LeaseSpec)
      return reply.code(201).header('location', `/v1/leases/${lease.id}`).send(viewLease(lease))
    },
  )

  app.get<{ Params: LeasePath }>(
    '/leases/:id',
    describeRoute({ id: 'getLease', tag, summary: 'One lease', params, answers: { 200: 'Lease' }, errors: [404] }),
    (request) => viewLease(requireLease(network, request.params)),
  )

  app.post<{ Params: LeasePath }>(
    '/leases/:id/renew',
    describeRoute({
      id: 'renewLease',
      tag,
      summary: 'It lasts its whole time again',
      params,
      answers: { 200: 'Lease' },
      errors: [404],
    }),
    (request) => {
      const lease = requireLease(network, request.params)
      lease.renew()
      return viewLease(lease)
    },
  )

  app.delete<{ Params: LeasePath }>(
    '/leases/:id',
    describeRoute({
      id: 'endLease',
      tag,
      summary: 'Ends a lease, and all that it holds',
      params,
      answers: { 204: null },
      errors: [404],
    }),
    (request, reply) => {
      requireLease(network, request.params).end()
      return reply.code(204).send()
    },
  )
}
