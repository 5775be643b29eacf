// All that the demo runs: an HTTP service, a Postgres, Faultline in front of both, and an application that uses them
// through it.
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import type { ProxySpec } from '../../proxy/index.ts'
import { toStartError } from '../start-error.ts'
import { startDatabase, type Database } from './database.ts'
import { OrderApplication } from './orders.ts'
import { startPayments } from './payments.ts'

const HOST = '127.0.0.1'

/** Names of the proxies. */
export const PAYMENTS = 'payments'
export const DATABASE = 'orders-db'

export interface WorldOptions {
  /** Of the API; 0: any free one, as with all of them. */
  readonly apiPort: number
  readonly paymentsPort: number
  readonly databasePort: number
  readonly withDatabase: boolean
  readonly seed?: number
}

/** `host:port` of a service, and of the proxy in front of it. */
interface Place {
  readonly service: string
  readonly proxy: string
}

export interface World {
  /** URL of the API. */
  readonly api: string
  readonly server: AdminServer
  readonly payments: Place
  /** Or why there is none. */
  readonly database: (Place & { readonly orders: Database['orders'] }) | { readonly missing: string }
  readonly application: OrderApplication
  close(): Promise<void>
}

/** @throws CommandError or UsageError for a port that can't be had */
export async function startWorld(options: WorldOptions): Promise<World> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer()
  }
  try {
    const payments = await startPayments()
    closers.push(() => payments.close())
    const front: ProxySpec = {
      name: PAYMENTS,
      listen: `${HOST}:${options.paymentsPort}`,
      upstream: payments.address,
      protocol: 'http',
      from: 'shop',
      to: 'payments',
    }
    const server = await startAdminServer({
      host: HOST,
      port: options.apiPort,
      proxies: [front],
      ...(options.seed !== undefined && { seed: options.seed }),
    }).catch((error: unknown) => {
      throw startError(error, options, 'the proxy of payments, whose port --proxy-port chooses')
    })
    closers.push(() => server.close())
    const paymentsProxy = server.network.proxy(PAYMENTS)?.listen ?? payments.address
    const database = await databaseOf(server, options, closers)
    const application = new OrderApplication({
      payments: paymentsProxy,
      database: 'proxy' in database ? database.proxy : undefined,
    })
    closers.push(async () => {
      // Nothing that the user has broken may keep it from ending.
      server.network.heal()
      await application.close()
    })
    const place = { service: payments.address, proxy: paymentsProxy }
    return { api: server.url, server, payments: place, database, application, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function databaseOf(
  { network }: AdminServer,
  options: WorldOptions,
  closers: (() => Promise<unknown>)[],
): Promise<World['database']> {
  if (!options.withDatabase) return { missing: 'it was started with --http-only' }
  let database: Database
  try {
    database = await startDatabase()
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) }
  }
  closers.push(() => database.close())
  const spec: ProxySpec = {
    name: DATABASE,
    listen: `${HOST}:${options.databasePort}`,
    upstream: database.address,
    protocol: 'postgres',
    from: 'shop',
    to: 'db',
  }
  const proxy = await network.createProxy(spec).catch((error: unknown) => {
    throw startError(error, options, 'the proxy of Postgres, whose port --database-port chooses')
  })
  return { service: database.address, proxy: proxy.listen, orders: () => database.orders() }
}

function startError(error: unknown, { apiPort }: WorldOptions, proxies: string): unknown {
  return toStartError(error, { api: `${HOST}:${apiPort}`, apiHint: 'choose another port with --port', proxies })
}
