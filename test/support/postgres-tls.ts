// What the tests of TLS through a Postgres proxy share: a proxy with TLS options, and clients for each sslmode.
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import pg from 'pg'
import postgres from 'postgres'
import { vi } from 'vitest'
import { Network, type FaultProxy, type FaultSpec, type ProxySpec } from '../../proxy/index.ts'
import * as frontend from './postgres-frontend.ts'
import { postgresCertificate, type PostgresOptions } from './postgres.ts'
import { portOf } from './proxied.ts'
import { RawSocket } from './sockets.ts'

/** `ann` has a password and may come with TLS or without, as bob could if there were one; all others need no password. */
export const tlsServer: PostgresOptions = {
  ssl: true,
  users: [{ name: 'ann', password: 'secret' }],
  hba: ['host all ann,bob all scram-sha-256'],
}

/** What a proxy is told in order to show the server's own certificate. */
export const ownCertificate = { tlsCertificate: postgresCertificate.cert, tlsKey: postgresCertificate.key }

const ANN = { host: '127.0.0.1', user: 'ann', password: 'secret', database: 'postgres' }

export type TlsOptions = Pick<ProxySpec, 'tls' | 'tlsCertificate' | 'tlsKey' | 'tlsCa' | 'tlsVerify'>

/** Generous: what is waited for comes at once, unless the machine has no time. */
export const patience = { timeout: 10_000, interval: 2 }

export interface TlsProxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  readonly port: number
  /** What is on record beyond faults, the oldest first: `opaque: TLS`, `fault_not_applied (name): TLS`. */
  events(): string[]
  /** Waits until the proxy has no connection any more. */
  untilEmpty(): Promise<void>
}

/**
 * @param upstream e.g. a server, or `host:port`
 * @param faults in place before the first connection
 */
export async function startTlsProxied(
  upstream: { readonly host: string; readonly port: number } | string,
  options: TlsOptions = {},
  faults: readonly FaultSpec[] = [],
): Promise<TlsProxied> {
  const network = new Network({ seed: 1 })
  const address = typeof upstream === 'string' ? upstream : `${upstream.host}:${upstream.port}`
  const proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream: address, faults, ...options })
  return {
    network,
    proxy,
    port: portOf(proxy),
    events: () =>
      network.events.entries().map(({ type, detail }) => {
        const { fault, reason } = detail as { fault?: string; reason?: string }
        return `${type}${fault === undefined ? '' : ` (${fault})`}: ${reason}`
      }),
    async untilEmpty() {
      await vi.waitUntil(() => proxy.connections.size === 0, patience)
    },
    [Symbol.asyncDispose]: () => network.close(),
  }
}

// ---- clients ---------------------------------------------------------------------------------------------------------

/** node-postgres as ann; with `ssl: true` it trusts everybody. */
export async function connectPg(port: number, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ ...ANN, port, ...options, ...(options.ssl === true && trusting) })
  client.on('error', () => {})
  await client.connect()
  return client
}

const trusting = { ssl: { rejectUnauthorized: false } }

/** postgres.js as ann, with one connection that it opens for its first query. */
export function openPostgresJs(port: number, ssl: 'prefer' | 'require' | false): postgres.Sql {
  const { user, ...more } = ANN
  return postgres({ ...more, username: user, port, ssl, max: 1, fetch_types: false, onnotice: () => {} })
}

export const hasPsql = spawnSync('psql', ['--version']).status === 0

/**
 * Runs statements as ann, on one connection.
 *
 * @param connection more of the connection string, as `sslmode=require`
 * @returns the results' values, a line each
 */
export async function psql(port: number, connection: string, ...statements: string[]): Promise<string[]> {
  const target = `host=127.0.0.1 port=${port} user=ann password=secret dbname=postgres ${connection}`
  const commands = statements.flatMap((statement) => ['-c', statement])
  // No file of the user who runs the tests is to have a say in certificates.
  const env = { ...process.env, HOME: '/nonexistent', PGCONNECT_TIMEOUT: '10' }
  const settings = ['-XAt', '-v', 'VERBOSITY=verbose', '-v', 'ON_ERROR_STOP=1']
  const { stdout } = await promisify(execFile)('psql', [target, ...settings, ...commands], { env })
  return stdout.trim().split('\n')
}

/** What is said inside TLS. */
export class TlsClient extends RawSocket {
  /** The connection around it, which can be broken. */
  readonly connection: RawSocket

  private constructor(connection: RawSocket, socket: TLSSocket) {
    super(socket)
    this.connection = connection
  }

  /** @param how `requested` by SSLRequest, or `direct` as since PostgreSQL 17 ("SSL Session Encryption") */
  static async open(port: number, how: 'requested' | 'direct'): Promise<TlsClient> {
    const connection = await RawSocket.connect(port)
    if (how === 'requested') await requestTls(connection)
    return TlsClient.begin(connection)
  }

  /** Begins TLS on a connection on which the server waits for it. */
  static async begin(connection: RawSocket): Promise<TlsClient> {
    connection.socket.removeAllListeners('data')
    const socket = connectTls({ socket: connection.socket, rejectUnauthorized: false, ALPNProtocols: ['postgresql'] })
    await once(socket, 'secureConnect')
    return new TlsClient(connection, socket)
  }
}

/** Asks for TLS and hears that it may begin. */
export async function requestTls(socket: RawSocket): Promise<void> {
  socket.write(frontend.sslRequest())
  await socket.untilBytes(1)
  if (socket.text !== 'S') throw new Error(`TLS was refused: ${socket.text}`)
}
