// /v1/heal, /v1/reset, /v1/stop, /v1/resume: ways back to a network without faults. They take no body.
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import type { Feed } from '../feed/feed.ts'
import { describeRoute } from '../openapi/operation.ts'
import { viewStatus, type StatusView } from './status.ts'

const tag = 'safety'
const answers = { 200: 'Status' } as const

export function safetyRoutes(app: FastifyInstance, network: Network, feed: Feed): void {
  const status = (): StatusView => viewStatus(network, feed)

  app.post(
    '/heal',
    describeRoute({
      id: 'heal',
      tag,
      summary: 'Removes all faults and heals all partitions',
      description: 'Connections go on.',
      answers,
    }),
    () => {
      network.heal()
      return status()
    },
  )

  app.post(
    '/reset',
    describeRoute({ id: 'reset', tag, summary: 'Heals, and enables every proxy', answers, errors: [409] }),
    async () => {
      await network.reset()
      return status()
    },
  )

  app.post(
    '/stop',
    describeRoute({
      id: 'stop',
      tag,
      summary: 'Emergency stop: heals, and refuses whatever would act',
      description: 'After the answer nothing acts any more. What would act is answered 423 until it is taken back.',
      answers,
    }),
    () => {
      network.stop()
      return status()
    },
  )

  app.post(
    '/resume',
    describeRoute({
      id: 'resume',
      tag,
      summary: 'Takes an emergency stop back',
      description: 'Faults may be added again; those that it has ended are gone.',
      answers,
    }),
    () => {
      network.resume()
      return status()
    },
  )
}
