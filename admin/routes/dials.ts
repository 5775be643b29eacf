// /v1/dials: whether an upstream answers, seen from here. Who creates a proxy from afar can't know.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { parseAddress } from '../../proxy/address.ts'
import { dial } from '../../proxy/dial.ts'
import { systemCode } from '../../proxy/errors.ts'
import { validate } from '../../proxy/validate.ts'
import { describeRoute } from '../openapi/operation.ts'

export const dialSpecSchema = Type.Object({
  upstream: Type.String({ minLength: 1, description: 'host:port of the server.' }),
})

export const dialSchema = Type.Object({
  upstream: Type.String({ description: 'host:port of the server.' }),
  reason: Type.Union([Type.String(), Type.Null()], {
    description: 'Why nobody answers there, e.g. ECONNREFUSED; null: somebody does.',
  }),
})

export function dialRoutes(app: FastifyInstance): void {
  app.post(
    '/dials',
    describeRoute({
      id: 'dial',
      tag: 'server',
      summary: 'Whether an upstream answers',
      description: 'Connects over TCP and hangs up at once. An answer that takes longer than 2 s counts as none.',
      body: 'DialSpec',
      answers: { 200: 'Dial' },
      errors: [400],
    }),
    async (request): Promise<Static<typeof dialSchema>> => {
      const { upstream } = validate(dialSpecSchema, request.body)
      const failure = await dial(parseAddress(upstream, 'upstream'))
      return { upstream, reason: failure ? (systemCode(failure) ?? failure.message) : null }
    },
  )
}
