// /v1/partitions: links between services that are cut.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network, Partition, PartitionSpec } from '../../proxy/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { partitionPathSchema, requirePartition, type PartitionPath } from './paths.ts'
import { viewRemaining } from './views.ts'

const tag = 'partitions'
const params = partitionPathSchema

export const partitionSchema = Type.Object({
  name: Type.String(),
  mode: Type.Union([Type.Literal('drop'), Type.Literal('reject')]),
  cuts: Type.Array(Type.Array(Type.String(), { minItems: 2, maxItems: 2 }), {
    description: 'Pairs of services: what the first says, the second does not hear.',
  }),
  links: Type.Array(Type.String(), { description: 'The proxies that it cuts.' }),
  ttlMs: Type.Union([Type.Integer(), Type.Null()], { description: 'Its time to live; null: until it is healed.' }),
  remainingMs: Type.Union([Type.Integer(), Type.Null()], { description: 'What is left of that.' }),
  lease: Type.Union([Type.String(), Type.Null()], { description: 'The id of the lease that it ends with.' }),
})

export const partitionListSchema = Type.Object({ partitions: Type.Array(partitionSchema) })

type PartitionView = Static<typeof partitionSchema>

export function partitionRoutes(app: FastifyInstance, network: Network): void {
  const view = (partition: Partition): PartitionView => {
    const { name, mode, cuts, links, ttlMs = null, lease = null, expiresMs } = partition
    const pairs = cuts.map(([from, to]) => [from, to])
    return {
      name,
      mode,
      cuts: pairs,
      links: [...links],
      ttlMs,
      remainingMs: viewRemaining(network.clock, expiresMs),
      lease,
    }
  }

  app.get(
    '/partitions',
    describeRoute({
      id: 'listPartitions',
      tag,
      summary: 'Partitions that have not been healed',
      answers: { 200: 'PartitionList' },
    }),
    () => ({ partitions: network.partitions.map(view) }),
  )

  app.post(
    '/partitions',
    describeRoute({
      id: 'createPartition',
      tag,
      summary: 'Cuts every link between services that are kept apart',
      description: 'Links are the proxies that say by `from` and `to` which services they join; also later ones.',
      body: 'PartitionSpec',
      answers: { 201: 'Partition' },
      errors: [400, 404, 409, 423],
    }),
    (request, reply) => {
      const partition = network.partition(request.body as PartitionSpec)
      const path = `/v1/partitions/${encodeURIComponent(partition.name)}`
      return reply.code(201).header('location', path).send(view(partition))
    },
  )

  app.get<{ Params: PartitionPath }>(
    '/partitions/:partition',
    describeRoute({
      id: 'getPartition',
      tag,
      summary: 'One partition',
      params,
      answers: { 200: 'Partition' },
      errors: [404],
    }),
    (request) => view(requirePartition(network, request.params)),
  )

  app.delete<{ Params: PartitionPath }>(
    '/partitions/:partition',
    describeRoute({
      id: 'healPartition',
      tag,
      summary: 'Heals a partition',
      params,
      answers: { 204: null },
      errors: [404],
    }),
    (request, reply) => {
      requirePartition(network, request.params).heal()
      return reply.code(204).send()
    },
  )
}
