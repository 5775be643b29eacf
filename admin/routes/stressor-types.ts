// /v1/stressor-types: what can be pressed here, with the schemas that everything else is made of.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { describeRoute } from '../openapi/operation.ts'
import { describeStressorTypes } from '../openapi/stressor-types.ts'

export const stressorTypeSchema = Type.Object({
  type: Type.String({ description: 'What a stressor names as its type.' }),
  describe: Type.String({ description: 'What it does.' }),
  attributes: Type.Object({}, { additionalProperties: true, description: 'A JSON Schema.' }),
})

export const stressorTypeListSchema = Type.Object({ stressorTypes: Type.Array(stressorTypeSchema) })

export function stressorTypeRoutes(app: FastifyInstance): void {
  let list: Static<typeof stressorTypeListSchema> | undefined
  app.get(
    '/stressor-types',
    describeRoute({
      id: 'listStressorTypes',
      tag: 'stressors',
      summary: 'All types of stressors, with the schemas of their attributes',
      answers: { 200: 'StressorTypeList' },
    }),
    () => (list ??= { stressorTypes: describeStressorTypes() }),
  )
}
