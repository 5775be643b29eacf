// One HTTP server for everything that steers proxies: Toxiproxy's API at the root, ours under /v1, metrics, health.
import { randomUUID } from 'node:crypto'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { pino, type Logger } from 'pino'
import { FaultlineError, isFaultlineError, Network, type ProxySpec } from '../proxy/index.ts'
import { MAX_NAME_LENGTH } from '../proxy/validate.ts'
import { problemHandlers } from './errors.ts'
import { metricsRoute } from './metrics.ts'
import { refuseBrowsers } from './refuse-browsers.ts'
import { eventRoutes } from './routes/events.ts'
import { faultRoutes } from './routes/faults.ts'
import { injectionRoutes } from './routes/injections.ts'
import { proxyRoutes } from './routes/proxies.ts'
import { toxiproxyApi } from './toxiproxy.ts'

export interface AdminServerOptions {
  /** Address to listen on. Default `127.0.0.1`: this machine only. */
  readonly host?: string
  /** Default 8474, Toxiproxy's; 0 = any free one. */
  readonly port?: number
  /** Decides every random choice. Default: a random one, to be read from `network.seed`. */
  readonly seed?: number
  /** Directory of the files that faults may send. Default none: no request can make the server read a file. */
  readonly filesDirectory?: string
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
  /** Removes all faults, closes connections and listeners. */
  close(): Promise<void>
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8474

/** Largest request body. A populate of 5,000 proxies is half of it. */
const BODY_LIMIT_BYTES = 1024 * 1024
/** A client must have sent its whole request by then. */
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Starts the admin server with its own network.
 *
 * @throws FaultlineError if a proxy can't be created, or the system's error if the port can't be had; nothing is left
 * running then
 */
export async function startAdminServer(options: AdminServerOptions = {}): Promise<AdminServer> {
  const { seed, filesDirectory } = options
  const network = new Network({
    ...(seed !== undefined && { seed }),
    ...(filesDirectory !== undefined && { filesDirectory }),
  })
  try {
    for (const proxy of options.proxies ?? []) await createNamed(network, proxy)
    const app = await buildAdminApp(network, options)
    const url = await app.listen({
      host: options.host ?? DEFAULT_HOST,
      port: options.port ?? DEFAULT_PORT,
      listenTextResolver: (address) => `API at ${address}`,
    })
    return {
      url,
      network,
      close: async () => {
        network.heal()
        await app.close()
        await network.close()
      },
    }
  } catch (error) {
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
  const logger: FastifyBaseLogger = options.logger ?? pino({ level: 'silent' })
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }), // one line of ours, below
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: MAX_NAME_LENGTH * 3 } /* percent-encoded */,
    exposeHeadRoutes: false,
    genReqId: () => randomUUID(),
  })
  app.addHook('onResponse', (request, reply, done) => {
    const entry = { method: request.method, path: request.url, status: reply.statusCode, durationMs: reply.elapsedTime }
    if (request.method === 'GET') request.log.debug(entry, 'request')
    else request.log.info(entry, 'request')
    done()
  })
  refuseBrowsers(app)
  app.get('/healthz', () => ({ status: 'ok' }))
  metricsRoute(app, network, options)
  await app.register(toxiproxyApi, { network })
  await app.register(
    (v1, _options, done) => {
      problemHandlers(v1)
      proxyRoutes(v1, network)
      faultRoutes(v1, network)
      injectionRoutes(v1, network)
      eventRoutes(v1, network)
      done()
    },
    { prefix: '/v1' },
  )
  return app
}
