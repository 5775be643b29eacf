// /v1/fault-types: what can go wrong here, with the schemas that everything else is made of.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { describeFaultTypes } from '../openapi/fault-types.ts'
import { describeRoute } from '../openapi/operation.ts'

const jsonSchema = Type.Object({}, { additionalProperties: true, description: 'A JSON Schema.' })

export const faultTypeSchema = Type.Object({
  type: Type.String({ description: 'What a fault names as its type.' }),
  layer: Type.String({ description: 'Where it acts.' }),
  protocols: Type.Array(Type.String(), { description: 'Protocols of the proxies that it can be had on.' }),
  describe: Type.String({ description: 'What it does.' }),
  attributes: jsonSchema,
  match: jsonSchema,
})

export const faultTypeListSchema = Type.Object({ faultTypes: Type.Array(faultTypeSchema) })

export function faultTypeRoutes(app: FastifyInstance): void {
  let list: Static<typeof faultTypeListSchema> | undefined
  app.get(
    '/fault-types',
    describeRoute({
      id: 'listFaultTypes',
      tag: 'faults',
      summary: 'All types of faults, with the schemas of their attributes and of what they can be matched by',
      description: 'A type that proxies over TCP and over UDP have is there twice.',
      answers: { 200: 'FaultTypeList' },
    }),
    () => (list ??= { faultTypes: describeFaultTypes() }),
  )
}
