// A Postgres primary and a replica that follows it through a proxy, with a table to compare.
import { vi } from 'vitest'
import { Network, type FaultProxy, type ProxySpec } from '../../proxy/index.ts'
import { portOf } from './proxied.ts'
import { startPostgres, type PostgresServer } from './postgres.ts'

const PRIMARY_SETTINGS = {
  // More than tests write: what the replica has yet to read is still there, without a slot that would have to be dropped.
  wal_keep_size: '256MB',
  // A commit has been written to the log, which goes to the replica, but waits for no replica, unless a session asks.
  synchronous_commit: 'local',
  synchronous_standby_names: 'replica',
}

const REPLICA_SETTINGS = {
  // Default 5 s, for which a test would wait after each refused connection.
  wal_retrieve_retry_interval: '100ms',
  // The least. Default 10 s: that long a test would wait for an answer that nobody has asked for.
  wal_receiver_status_interval: '1s',
}

/** Well below the time limit of a test; catching up takes some hundred milliseconds. */
const PATIENCE = { timeout: 10_000, interval: 20 }

/** What the table holds. */
export interface Contents {
  readonly rows: number
  /** Over all rows in order. */
  readonly digest: string
}

/** Who serves a replica on the primary: another one for each connection of the replica's. */
export interface WalSender {
  readonly pid: number
  readonly backend_start: Date
}

export interface ReplicationOptions extends Pick<ProxySpec, 'protocol' | 'faults'> {
  /** Of the primary. */
  readonly settings?: Readonly<Record<string, string>>
}

export class ReplicatedPostgres implements AsyncDisposable {
  readonly network = new Network({ seed: 1 })
  readonly primary: PostgresServer
  #link: FaultProxy | undefined
  #replica: PostgresServer | undefined

  private constructor(primary: PostgresServer) {
    this.primary = primary
  }

  static async start({ settings, ...spec }: ReplicationOptions = {}): Promise<ReplicatedPostgres> {
    const primary = await startPostgres({ settings: { ...PRIMARY_SETTINGS, ...settings } })
    const replicated = new ReplicatedPostgres(primary)
    try {
      await primary.query('CREATE TABLE ledger (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry text)')
      await replicated.#follow(spec)
      await replicated.untilReplayed()
    } catch (error) {
      await replicated[Symbol.asyncDispose]()
      throw error
    }
    return replicated
  }

  /**
   * Both servers start from copies of one data folder that was cleanly shut down, so all that the primary has written
   * comes to the replica through the link.
   */
  async #follow(spec: Pick<ProxySpec, 'protocol' | 'faults'>): Promise<void> {
    const { host, port, user } = this.primary
    const names = { name: 'link', from: 'replica', to: 'primary' }
    this.#link = await this.network.createProxy({ ...spec, ...names, upstream: `${host}:${port}` })
    const primary = `host=${host} port=${portOf(this.#link)} user=${user} application_name=replica`
    this.#replica = await startPostgres({ primary, settings: REPLICA_SETTINGS })
  }

  /** From service `replica` to service `primary`. */
  get link(): FaultProxy {
    if (!this.#link) throw new Error('the link is made by start()')
    return this.#link
  }

  get replica(): PostgresServer {
    if (!this.#replica) throw new Error('the replica is started by start()')
    return this.#replica
  }

  /** Adds rows of 256 bytes on the primary. */
  async write(rows: number): Promise<void> {
    const sql = `INSERT INTO ledger (entry) SELECT repeat(md5(random()::text), 8) FROM generate_series(1, $1::int)`
    await this.primary.query(sql, [rows])
  }

  /** Waits until the replica has replayed all that has been committed on the primary. */
  async untilReplayed(): Promise<void> {
    const [written] = await this.primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const sql = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS replayed'
    await vi.waitUntil(async () => {
      const [row] = await this.replica.query<{ replayed: boolean }>(sql, [written?.lsn])
      return row?.replayed
    }, PATIENCE)
  }

  /** How much of the primary's log the replica has not replayed. */
  async lagBytes(): Promise<number> {
    const [replayed] = await this.replica.query<{ lsn: string }>('SELECT pg_last_wal_replay_lsn()::text AS lsn')
    const sql = 'SELECT (pg_current_wal_lsn() - $1::pg_lsn)::float8 AS bytes'
    const [lag] = await this.primary.query<{ bytes: number }>(sql, [replayed?.lsn])
    return lag?.bytes ?? Number.NaN
  }

  /** @throws when the replica is not connected */
  async walSender(): Promise<WalSender> {
    const [sender] = await this.primary.query<WalSender & object>('SELECT pid, backend_start FROM pg_stat_replication')
    if (!sender) throw new Error('no replica is connected')
    return sender
  }

  /** When the replica sent the latest answer that has come to the primary: milliseconds since the Unix epoch. */
  async lastAnswerMs(): Promise<number> {
    const [answer] = await this.primary.query<{ time: Date }>('SELECT reply_time AS time FROM pg_stat_replication')
    return answer?.time.getTime() ?? Number.NaN
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replica?.stop()
    await this.network.close()
    await this.primary.stop()
  }
}

/** What a server finds in the table. */
export async function contentsOf(server: PostgresServer): Promise<Contents> {
  const sql = `SELECT count(*)::int AS rows, md5(string_agg(entry, ',' ORDER BY id)) AS digest FROM ledger`
  const [contents] = await server.query<Contents & object>(sql)
  if (!contents) throw new Error('an aggregate has one row')
  return contents
}
