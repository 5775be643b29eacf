// /v1/heal, /v1/reset, /v1/stop, /v1/resume: ways back to a network without faults, and a machine without stressors. They
// take no body.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import type { Stressors } from '../../resource-stressors/index.ts'
import type { Feed } from '../feed/feed.ts'
import { describeRoute } from '../openapi/operation.ts'
import { statusSchema, viewStatus, type StatusView } from './status.ts'

const tag = 'safety'
const answers = { 200: 'Status' } as const
const endAnswers = { 200: 'StatusAfterEnd' } as const

export const statusAfterEndSchema = Type.Composite([
  statusSchema,
  Type.Object({ endedStressors: Type.Integer({ minimum: 0, description: 'Stressors that this request has ended.' }) }),
])

export function safetyRoutes(app: FastifyInstance, network: Network, feed: Feed, stressors: Stressors): void {
  const status = (): StatusView => viewStatus(network, feed, stressors)

  app.post(
    '/heal',
    describeRoute({
      id: 'heal',
      tag,
      summary: 'Removes all faults and heals all partitions',
      description: 'Connections go on, and so do stressors.',
      answers,
    }),
    () => {
      network.heal()
      return status()
    },
  )

  app.post(
    '/reset',
    describeRoute({
      id: 'reset',
      tag,
      summary: 'Heals, ends all stressors, and enables every proxy',
      answers: endAnswers,
      errors: [409],
    }),
    async () => {
      const [endedStressors] = await Promise.all([stressors.stopAll('reset'), network.reset()])
      return { ...status(), endedStressors }
    },
  )

  app.post(
    '/stop',
    describeRoute({
      id: 'stop',
      tag,
      summary: 'Emergency stop: heals, kills all stressors, and refuses whatever would act',
      description:
        'After the answer nothing acts any more. What would act is answered 423 until it is taken back. Should the ' +
        'system not end the process of a stressor within 4 s, the answer counts it in `stressors`.',
      answers: endAnswers,
    }),
    async () => {
      // They are killed while faults are removed. No start can get in between: a guard asks the network.
      const ended = stressors.stopAll('stop')
      network.stop()
      const endedStressors = await ended
      return { ...status(), endedStressors }
    },
  )

  app.post(
    '/resume',
    describeRoute({
      id: 'resume',
      tag,
      summary: 'Takes an emergency stop back',
      description: 'Faults and stressors may be added again; those that it has ended are gone.',
      answers,
    }),
    () => {
      network.resume()
      return status()
    },
  )
}
