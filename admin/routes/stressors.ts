// /v1/stressors: processes that press the machine's own resources. Every type of the registry can be had here.
import type { FastifyInstance } from 'fastify'
import { FaultlineError, type Network } from '../../proxy/index.ts'
import type { Lease } from '../../proxy/leases.ts'
import { describeValue } from '../../proxy/validate.ts'
import type { Stressors, StressorSpec } from '../../resource-stressors/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { requireStressor, stressorPathSchema, type StressorPath } from './paths.ts'
import { viewStressor } from './stressor-views.ts'

const tag = 'stressors'
const params = stressorPathSchema

/** The supervisor validates bodies, so that embedding and API have the same rules and messages. */
export function stressorRoutes(app: FastifyInstance, network: Network, stressors: Stressors): void {
  app.get(
    '/stressors',
    describeRoute({ id: 'listStressors', tag, summary: 'Stressors that are there', answers: { 200: 'StressorList' } }),
    () => ({ stressors: stressors.list.map(viewStressor) }),
  )

  app.post(
    '/stressors',
    describeRoute({
      id: 'startStressor',
      tag,
      summary: 'Starts a stressor, or with dryRun says what it would do',
      description:
        'Answered with 201 when it acts, with 200 to a dry run. It ends by itself after its time to live, with its lease, and whenever the server does.',
      body: 'StressorSpec',
      answers: { 200: 'Stressor', 201: 'Stressor' },
      errors: [400, 404, 409, 423, 429],
    }),
    async (request, reply) => {
      const { spec, lease } = takeLease(network, request.body)
      const stressor = await stressors.start(spec, lease)
      if (stressor.state === 'planned') return viewStressor(stressor)
      return reply.code(201).header('location', `/v1/stressors/${stressor.id}`).send(viewStressor(stressor))
    },
  )

  app.delete(
    '/stressors',
    describeRoute({
      id: 'stopStressors',
      tag,
      summary: 'Ends all stressors',
      description: 'Answered when they are gone, with those that were there.',
      answers: { 200: 'StressorList' },
    }),
    async () => {
      const present = stressors.list
      await stressors.stopAll('request')
      return { stressors: present.map(viewStressor) }
    },
  )

  app.get<{ Params: StressorPath }>(
    '/stressors/:stressor',
    describeRoute({
      id: 'getStressor',
      tag,
      summary: 'One stressor, also one of the latest 100 that have ended',
      params,
      answers: { 200: 'Stressor' },
      errors: [404],
    }),
    (request) => viewStressor(requireStressor(stressors, request.params)),
  )

  app.delete<{ Params: StressorPath }>(
    '/stressors/:stressor',
    describeRoute({
      id: 'stopStressor',
      tag,
      summary: 'Ends a stressor',
      description: 'Answered when its process is gone, and all that it had is given back.',
      params,
      answers: { 204: null },
      errors: [404],
    }),
    async (request, reply) => {
      await stressors.stop(request.params.stressor)
      return reply.code(204).send()
    },
  )
}

/** Leases are the network's. What else the body has is for the supervisor to check. */
function takeLease(network: Network, body: unknown): { readonly spec: StressorSpec; readonly lease?: Lease } {
  if (typeof body !== 'object' || body === null || !('lease' in body)) return { spec: body as StressorSpec }
  const { lease: id, ...spec } = body
  if (typeof id === 'string' && id !== '') return { spec: spec as StressorSpec, lease: network.leases.require(id) }
  const expected = 'the id of a lease that has not ended'
  const message = `lease: expected ${expected}, got ${describeValue(id)}`
  throw new FaultlineError('invalid_value', message, { field: 'lease', expected })
}
