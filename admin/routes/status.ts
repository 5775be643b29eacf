// /v1/status: the whole network in a few numbers.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { version, type Network } from '../../proxy/index.ts'
import type { Stressors } from '../../resource-stressors/index.ts'
import type { Feed } from '../feed/feed.ts'
import { describeRoute } from '../openapi/operation.ts'

const count = (description: string) => Type.Integer({ minimum: 0, description })

export const statusSchema = Type.Object({
  version: Type.String({ description: "Faultline's." }),
  seed: Type.Integer({ description: 'Decides every random choice.' }),
  startedMs: Type.Number({
    description: 'When the server was started, in milliseconds since the Unix epoch. Another one begins its feed anew.',
  }),
  stopped: Type.Boolean({ description: 'Whether the emergency stop is on.' }),
  proxies: count('All.'),
  enabledProxies: count('Those that listen.'),
  faults: count('On all proxies; those of partitions, too.'),
  enabledFaults: count('Those that act.'),
  partitions: count('That have not been healed.'),
  leases: count('That have not ended.'),
  stressors: count('That are there.'),
  connections: count('Live ones.'),
  injections: count('Acts of faults so far.'),
  events: count('Entries of the feed so far.'),
  streams: count('Readers of the feed.'),
})

export type StatusView = Static<typeof statusSchema>

export function viewStatus(network: Network, feed: Feed, stressors: Stressors): StatusView {
  const proxies = [...network.proxies]
  const faults = proxies.flatMap((proxy) => [...proxy.faults])
  return {
    version,
    seed: network.seed,
    startedMs: feed.startedMs,
    stopped: network.stopped,
    proxies: proxies.length,
    enabledProxies: proxies.filter(({ enabled }) => enabled).length,
    faults: faults.length,
    enabledFaults: faults.filter(({ enabled }) => enabled).length,
    partitions: network.partitions.length,
    leases: [...network.leases].length,
    stressors: stressors.list.length,
    connections: proxies.reduce((sum, { connections }) => sum + connections.size, 0),
    injections: network.injections.total,
    events: feed.total,
    streams: feed.readers,
  }
}

export function statusRoutes(app: FastifyInstance, network: Network, feed: Feed, stressors: Stressors): void {
  app.get(
    '/status',
    describeRoute({ id: 'getStatus', tag: 'server', summary: 'The network in numbers', answers: { 200: 'Status' } }),
    () => viewStatus(network, feed, stressors),
  )
}
