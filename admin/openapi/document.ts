// GET /v1/openapi.json: the description of /v1, from the routes and the schemas that validate.
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { version } from '../../proxy/index.ts'
import { componentSchemas } from './components.ts'
import { toJsonSchema } from './json-schema.ts'
import { describeRoute, type Tag } from './operation.ts'

const tags: Readonly<Record<Tag, string>> = {
  proxies: 'Listeners, each with an upstream.',
  faults: 'What goes wrong on a proxy.',
  partitions: 'Services that are kept apart.',
  stressors: "Pressure on the machine's own resources.",
  experiments: 'Hypotheses, what breaks on a timeline, and verdicts.',
  connections: 'Live connections.',
  records: 'What happened.',
  safety: 'Ways back to a network without faults and a machine without stressors.',
  server: 'The server itself.',
}

const DESCRIPTION = `Toggles faults on a running Faultline server.

Errors are problem documents (RFC 9457) with a stable \`code\`, the \`field\` that is wrong and what was \`expected\`;
then nothing has been changed. Unknown fields and parameters are errors. A server with a token wants it as
\`Authorization: Bearer\`.`

/** Call it before the routes that the document is about. */
export async function openApiDocument(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Faultline', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/', description: 'The server that this document comes from.' }],
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      // Either of them: a server without a token wants none.
      security: [{ token: [] }, {}],
    },
    // Requests are checked against the schema as it is.
    transform: ({ schema, url }) => {
      const { querystring } = schema
      if (!querystring) return { schema, url }
      return { schema: { ...schema, querystring: toJsonSchema(querystring, { isInput: true }) }, url }
    },
    // Made when the document is asked for, and not when the server starts.
    transformObject: (made) => {
      if (!('openapiObject' in made)) throw new Error('an OpenAPI document was asked for')
      const { components, ...document } = made.openapiObject
      return { ...document, components: { ...components, schemas: componentSchemas() } } as typeof made.openapiObject
    },
  })
  app.get(
    '/openapi.json',
    describeRoute({
      id: 'getOpenApi',
      tag: 'server',
      summary: 'This document',
      answers: { 200: 'OpenApiDocument' },
    }),
    () => app.swagger(),
  )
}
