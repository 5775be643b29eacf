// Our own API, /v1: a Fastify plugin.
import type { TObject } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Network } from '../../proxy/index.ts'
import type { Stressors } from '../../resource-stressors/index.ts'
import { problemHandlers } from '../errors.ts'
import type { Feed } from '../feed/feed.ts'
import { openApiDocument } from '../openapi/document.ts'
import { connectionRoutes } from './connections.ts'
import { dialRoutes } from './dials.ts'
import { eventRoutes } from './events.ts'
import type { Experiments } from './experiment-runs.ts'
import { experimentRoutes } from './experiments.ts'
import { faultTypeRoutes } from './fault-types.ts'
import { faultRoutes } from './faults.ts'
import { injectionRoutes } from './injections.ts'
import { leaseRoutes } from './leases.ts'
import { partitionRoutes } from './partitions.ts'
import { proxyRoutes } from './proxies.ts'
import { validateQuery } from './query.ts'
import { safetyRoutes } from './safety.ts'
import { scenarioRoutes } from './scenarios.ts'
import { statusRoutes } from './status.ts'
import { stressorTypeRoutes } from './stressor-types.ts'
import { stressorRoutes } from './stressors.ts'

export interface V1Options {
  readonly network: Network
  /** It is closed with the server. */
  readonly feed: Feed
  /** They end with the server. */
  readonly stressors: Stressors
  /** They are stopped with the server. */
  readonly experiments: Experiments
}

/** Register it with a prefix. */
export async function v1Api(app: FastifyInstance, { network, feed, stressors, experiments }: V1Options): Promise<void> {
  problemHandlers(app)
  checkQueries(app)
  await openApiDocument(app)
  proxyRoutes(app, network)
  faultRoutes(app, network)
  faultTypeRoutes(app)
  partitionRoutes(app, network)
  leaseRoutes(app, network)
  stressorRoutes(app, network, stressors)
  stressorTypeRoutes(app)
  experimentRoutes(app, experiments)
  scenarioRoutes(app)
  safetyRoutes(app, network, feed, stressors)
  connectionRoutes(app, network)
  injectionRoutes(app, network)
  statusRoutes(app, network, feed, stressors)
  dialRoutes(app)
  await eventRoutes(app, network, feed)
}

/**
 * Routes' schemas describe bodies and answers; the data plane checks the former. Parameters of queries are checked here,
 * by the same code and in the same words. Answers are written as they are: a schema must never cut a field off.
 */
function checkQueries(app: FastifyInstance): void {
  app.setValidatorCompiler(({ schema, httpPart }) => {
    if (httpPart !== 'querystring') return () => true
    return (query) => {
      try {
        return { value: validateQuery(schema as TObject, query) as unknown }
      } catch (error) {
        return { error: error as Error }
      }
    }
  })
  app.setSerializerCompiler(() => JSON.stringify)
}
