// One HTTP server for everything that steers proxies: Toxiproxy's API at the root, ours under /v1, metrics, health.
import { randomUUID } from 'node:crypto'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { pino, type Logger } from 'pino'
import { FaultlineError, isFaultlineError, Network, type ProxySpec } from '../proxy/index.ts'
import type { Stressors } from '../resource-stressors/index.ts'
import { limitsOf } from './config/admin-settings.ts'
import { Feed } from './feed/feed.ts'
import { ServerLog } from './feed/server-log.ts'
import { withoutAlias } from './routes/aliases.ts'
import type { ExperimentPermissions } from './routes/experiment-files.ts'
import { hostExperiments } from './routes/experiment-runs.ts'
import { metricsRoute } from './routes/metrics.ts'
import { v1Api } from './routes/v1.ts'
import { exposureWarning, installSecurity } from './security/install.ts'
import { limitOptions } from './security/limits.ts'
import { loggedPath } from './security/logged-path.ts'
import type { SecurityOptions } from './security/options.ts'
import { endGracefully, shutdownOptions } from './security/shutdown.ts'
import { hostStressors, type StressorHostOptions } from './stressor-host.ts'
import { toxiproxyApi } from './toxiproxy.ts'

export interface AdminServerOptions
  extends SecurityOptions, ExperimentPermissions, Pick<StressorHostOptions, 'stressors'> {
  /** Address to listen on. Default `127.0.0.1`: this machine only. */
  readonly host?: string
  /** Default 8474, Toxiproxy's; 0 = any free one. */
  readonly port?: number
  /** Decides every random choice. Default: a random one, to be read from `network.seed`. */
  readonly seed?: number
  /** Directory of the files that faults may send. Default none: no request can make the server read a file. */
  readonly filesDirectory?: string
  /** How long faults stay that name no time, in milliseconds. Default: `maxTtlMs`, or for ever; stressors: 60 s. */
  readonly defaultTtlMs?: number
  /** Faults and stressors that are to stay longer, in milliseconds, are refused. Default: none; stressors: 15 min. */
  readonly maxTtlMs?: number
  /** Created before the server answers. */
  readonly proxies?: readonly ProxySpec[]
  /** Whether /metrics has Toxiproxy's per-proxy metrics. Default true. */
  readonly proxyMetrics?: boolean
  /** Whether /metrics has Node's own metrics. Default false. */
  readonly runtimeMetrics?: boolean
  /** Default: silent. */
  readonly logger?: Logger
}

export interface AdminServer {
  /** E.g. `http://127.0.0.1:8474`. */
  readonly url: string
  readonly network: Network
  readonly stressors: Stressors
  /** What happens to the server beside its network; the feed has what is appended. */
  readonly events: ServerLog
  /** Removes all faults, ends all stressors, lets answers that are under way finish, closes connections and listeners. */
  close(): Promise<void>
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8474

/**
 * Starts the admin server with its own network.
 *
 * @throws FaultlineError if a proxy can't be created, or the system's error if the port can't be had; nothing is left
 * running then
 */
export async function startAdminServer(options: AdminServerOptions = {}): Promise<AdminServer> {
  const { seed, filesDirectory } = options
  const network = new Network({
    ...limitsOf(options),
    ...(seed !== undefined && { seed }),
    ...(filesDirectory !== undefined && { filesDirectory }),
  })
  const host = options.host ?? DEFAULT_HOST
  let app: FastifyInstance | undefined
  try {
    for (const proxy of options.proxies ?? []) await createNamed(network, proxy)
    const { app: started, stressors, events } = await buildServer(network, options)
    app = started
    const url = await started.listen({
      host,
      port: options.port ?? DEFAULT_PORT,
      listenTextResolver: (address) => `API at ${address}`,
    })
    const warning = exposureWarning(host, options)
    if (warning !== undefined) options.logger?.warn({ host }, warning)
    return {
      url,
      network,
      stressors,
      events,
      close: async () => {
        const closed = started.close() // refuses new faults, ends stressors
        network.heal()
        await closed
        await network.close()
      },
    }
  } catch (error) {
    await app?.close()
    await network.close()
    throw error
  }
}

/** Of many proxies, an error must tell which. */
async function createNamed(network: Network, spec: ProxySpec): Promise<void> {
  try {
    await network.createProxy(spec)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    const { code, message, field, expected } = error
    const details = { cause: error, ...(field !== undefined && { field }), ...(expected !== undefined && { expected }) }
    throw new FaultlineError(code, `proxy "${spec.name}": ${message}`, details)
  }
}

/** The server without its socket, for tests by inject(). */
export async function buildAdminApp(network: Network, options: AdminServerOptions = {}): Promise<FastifyInstance> {
  return (await buildServer(network, options)).app
}

interface BuiltServer extends Pick<AdminServer, 'stressors' | 'events'> {
  readonly app: FastifyInstance
}

/** Fastify's own take long to load. Routes with schemas have others: routes/v1.ts. */
function noCompiler(): never {
  throw new Error('a route has a schema and no compiler for it')
}

async function buildServer(network: Network, options: AdminServerOptions): Promise<BuiltServer> {
  const logger: FastifyBaseLogger = options.logger ?? pino({ level: 'silent' })
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }), // one line of ours, below
    ...limitOptions,
    ...shutdownOptions,
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    exposeHeadRoutes: false,
    rewriteUrl: withoutAlias,
    genReqId: () => randomUUID(),
  })
  app.addHook('onResponse', (request, reply, done) => {
    const path = loggedPath(request.url)
    const entry = { method: request.method, path, status: reply.statusCode, durationMs: reply.elapsedTime }
    if (request.method === 'GET' || request.method === 'HEAD') request.log.debug(entry, 'request')
    else request.log.info(entry, 'request')
    done()
  })
  await installSecurity(app, options.host ?? DEFAULT_HOST, options)
  endGracefully(app)
  const stressors = hostStressors(app, network, options)
  const events = new ServerLog()
  const experiments = hostExperiments(app, { network, stressors, events }, options)
  const feed = new Feed(network, stressors, events)
  metricsRoute(app, { network, feed, stressors }, options)
  await app.register(toxiproxyApi, { network, stressors })
  await app.register(v1Api, { network, feed, stressors, experiments, prefix: '/v1' })
  return { app, stressors, events }
}
