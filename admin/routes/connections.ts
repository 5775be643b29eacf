// /v1/connections: live connections, and how to cut one.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { LiveConnection } from '../../proxy/carrier.ts'
import type { FaultProxy, Network } from '../../proxy/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { connectionPathSchema, requireConnection, requireProxy, type ConnectionPath } from './paths.ts'
import { limitSchema, proxySchema } from './query.ts'
import { trafficSchema, viewTraffic } from './views.ts'

const tag = 'connections'

export const connectionSchema = Type.Object({
  id: Type.String({ description: 'The name of its proxy, a colon, its number.' }),
  proxy: Type.String(),
  number: Type.Integer({ description: 'Counts up from 1 on its proxy.' }),
  clientAddress: Type.String({ description: "The client's IP address." }),
  ageMs: Type.Integer({ description: 'Time since it was accepted, in milliseconds.' }),
  traffic: trafficSchema,
  heldBytes: Type.Integer({ description: 'Bytes that faults hold back.' }),
  faults: Type.Array(Type.String(), { description: 'Names of the enabled faults that may act on it.' }),
})

export const connectionListSchema = Type.Object({
  total: Type.Integer({ description: 'Live connections, also those that are not in the list.' }),
  connections: Type.Array(connectionSchema),
})

const listQuery = Type.Object({ proxy: proxySchema, limit: limitSchema })

const cutQuery = Type.Object({
  how: Type.Union([Type.Literal('reset'), Type.Literal('close')], {
    default: 'reset',
    description: 'By RST to both ends at once, or by FIN behind what has been passed on. With UDP nobody is told.',
  }),
})

type ConnectionView = Static<typeof connectionSchema>

function viewConnection(proxy: FaultProxy, connection: LiveConnection): ConnectionView {
  const { number, clientAddress, acceptedMs, heldBytes } = connection
  const traffic = viewTraffic(connection.traffic)
  const faults = proxy.activeFaults.filter((fault) => connection.concerns(fault)).map(({ name }) => name)
  const ageMs = Math.round(proxy.clock.now() - acceptedMs)
  return { id: `${proxy.name}:${number}`, proxy: proxy.name, number, clientAddress, ageMs, traffic, heldBytes, faults }
}

function* viewConnections(proxies: readonly FaultProxy[]): Generator<ConnectionView> {
  for (const proxy of proxies) for (const connection of proxy.connections) yield viewConnection(proxy, connection)
}

export function connectionRoutes(app: FastifyInstance, network: Network): void {
  app.get<{ Querystring: Static<typeof listQuery> }>(
    '/connections',
    describeRoute({
      id: 'listConnections',
      tag,
      summary: 'Live connections, by proxy, the oldest first',
      query: listQuery,
      answers: { 200: 'ConnectionList' },
      errors: [400, 404],
    }),
    ({ query: { proxy, limit } }) => {
      const proxies = proxy === undefined ? [...network.proxies] : [requireProxy(network, proxy)]
      const connections: ConnectionView[] = []
      for (const view of viewConnections(proxies)) if (connections.push(view) === limit) break
      return { total: proxies.reduce((sum, { connections: { size } }) => sum + size, 0), connections }
    },
  )

  app.delete<{ Params: ConnectionPath; Querystring: Static<typeof cutQuery> }>(
    '/connections/:id',
    describeRoute({
      id: 'cutConnection',
      tag,
      summary: 'Ends a connection',
      params: connectionPathSchema,
      query: cutQuery,
      answers: { 204: null },
      errors: [400, 404],
    }),
    (request, reply) => {
      const { connection } = requireConnection(network, request.params)
      if (request.query.how === 'reset') connection.reset()
      else connection.close()
      return reply.code(204).send()
    },
  )
}
