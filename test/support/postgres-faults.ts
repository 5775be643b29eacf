// What the tests of Postgres faults share: clients of three kinds, connected through a proxy to a real server.
import { execFileSync } from 'node:child_process'
import pg from 'pg'
import postgres from 'postgres'
import { Network, type FaultProxy, type FaultSpec, type NetworkOptions } from '../../proxy/index.ts'
import { PostgresConversation, type ConversationOptions } from './postgres-conversation.ts'
import type { PostgresServer } from './postgres.ts'
import { portOf } from './proxied.ts'

export type PostgresJsOptions = postgres.Options<Record<string, postgres.PostgresType>>

export interface PostgresProxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  readonly port: number
  /** node-postgres, connected. What it hears while idle is kept in `errors`, in place of ending the process. */
  pg(options?: pg.ClientConfig): Promise<pg.Client & { readonly errors: Error[] }>
  /** postgres.js with one connection, which it opens with its first query, and again when it is lost. */
  postgresJs(options?: PostgresJsOptions): postgres.Sql
  /** Every message of the server is seen. Logged in. */
  raw(options?: Partial<ConversationOptions>): Promise<PostgresConversation>
  /** What the proxy has on record, the oldest first, as `fault action`. */
  injected(): string[]
  /** Waits until so many injections are on record. */
  untilInjected(count: number): Promise<void>
}

/** @param faults in place before the first connection */
export async function startPostgresProxied(
  server: PostgresServer,
  faults: readonly FaultSpec[] = [],
  options: NetworkOptions = {},
): Promise<PostgresProxied> {
  const network = new Network({ seed: 1, ...options })
  const upstream = `${server.host}:${server.port}`
  const proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream, faults })
  const port = portOf(proxy)
  const { user, database } = server
  const ends: (() => unknown)[] = []
  return {
    network,
    proxy,
    port,
    async pg(more) {
      const client = new pg.Client({ host: '127.0.0.1', port, user, database, ...more })
      const errors: Error[] = []
      client.on('error', (error) => errors.push(error))
      ends.push(() =>
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy(),
      )
      await client.connect()
      return Object.assign(client, { errors })
    },
    postgresJs(more) {
      // Without fetch_types it would ask a question of its own first, which the faults would count.
      const quiet = { max: 1, fetch_types: false, onnotice: () => {}, host: '127.0.0.1', port, user, database }
      const sql = postgres({ ...quiet, ...more })
      ends.push(() => sql.end({ timeout: 0 }))
      return sql
    },
    async raw(more) {
      const conversation = await PostgresConversation.connect({ port, user, database, ...more })
      ends.push(() => conversation.socket.destroy())
      return conversation
    },
    injected: () => network.injections.entries().map(({ fault, action }) => `${fault} ${action}`),
    async untilInjected(count) {
      if (network.injections.total >= count) return
      await new Promise<void>((resolve) => {
        const stop = network.injections.subscribe(() => {
          if (network.injections.total < count) return
          stop()
          resolve()
        })
      })
    },
    async [Symbol.asyncDispose]() {
      // First the proxy: what it holds would keep clients from leaving.
      await network.close()
      await Promise.all(ends.map((end) => end()))
    },
  }
}

// ---- one statement at a time, by each driver in each of its ways -----------------------------------------------------

export type Row = Readonly<Record<string, unknown>>

/** Runs statements on one connection. Fails as the driver fails. */
export interface Runner {
  run(sql: string): Promise<readonly Row[]>
}

/** How real clients send a statement. */
export const ways: Readonly<Record<string, (proxied: PostgresProxied) => Promise<Runner>>> = {
  async 'pg, simple'(proxied) {
    const client = await proxied.pg()
    return { run: async (sql) => (await client.query<Row>(sql)).rows }
  },
  async 'pg, extended'(proxied) {
    const client = await proxied.pg()
    // `queryMode` is newer than the types.
    return { run: async (text) => (await client.query<Row>({ text, queryMode: 'extended' } as pg.QueryConfig)).rows }
  },
  'postgres.js, simple': (proxied) => connected(proxied.postgresJs(), { simple: true }),
  'postgres.js, extended': (proxied) => connected(proxied.postgresJs(), { prepare: false, simple: false }),
}

async function connected(sql: postgres.Sql, options: object): Promise<Runner> {
  const run = async (text: string): Promise<readonly Row[]> => [...(await sql.unsafe<Row[]>(text, [], options))]
  await run('SELECT 1')
  return { run }
}

/** `code` of what it failed with; `none` if it went well. */
export async function codeOf(work: PromiseLike<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

/**
 * How the drivers say that a connection broke off. Which one it is depends on the moment: libuv reports an RST that comes
 * right behind bytes as the end of the stream, and only a {@link PostgresConversation} looks closer.
 */
export const brokenOff = ['ECONNRESET', 'CONNECTION_CLOSED', 'Error: Connection terminated unexpectedly']

// ---- what the database says ------------------------------------------------------------------------------------------

/** An empty table with an int `id` as its key and a text. */
export async function createNotes(server: PostgresServer): Promise<void> {
  await server.query('DROP TABLE IF EXISTS notes; CREATE TABLE notes (id int PRIMARY KEY, note text)')
}

export async function noteIds(server: PostgresServer): Promise<number[]> {
  const rows = await server.query<{ id: number }>('SELECT id FROM notes ORDER BY id')
  return rows.map(({ id }) => id)
}

const LOOKS = 1000

/** Waits until a query, asked past the proxy, finds something. */
export async function untilFound(server: PostgresServer, sql: string, values?: unknown[]): Promise<Row[]> {
  for (let look = 1; look <= LOOKS; look++) {
    const rows = await server.query(sql, values)
    if (rows.length > 0) return rows
    // Only to leave the processor to others between the looks.
    await server.query('SELECT pg_sleep(0.005)')
  }
  throw new Error(`never found: ${sql}`)
}

/** Waits until the server has so many connections beside the one that asks. */
export async function untilClientsAre(server: PostgresServer, count: number): Promise<void> {
  const others = `application_name <> 'direct' AND backend_type = 'client backend'`
  await untilFound(server, `SELECT FROM pg_stat_activity WHERE ${others} HAVING count(*) = ${count}`)
}

/** Whether a program is on this machine. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
