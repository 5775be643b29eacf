// Asks a Postgres server a query. The driver is loaded with the first run: most experiments need none.
import net from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import type { Clock } from '../../proxy/clock.ts'
import { describeValue } from '../../proxy/validate.ts'
import { BoundedProbe, type Look } from './bounded-probe.ts'
import {
  asNumber,
  compileAll,
  compileComparison,
  compileValue,
  type Check,
  type Comparison,
  type Finding,
} from './expectations.ts'
import { AnswerTooLarge } from './failure.ts'
import type { TlsOptions } from './http-connections.ts'
import { invalidField } from './invalid.ts'
import { DEFAULT_TIMEOUT_MS, MAX_ANSWER_BYTES, type Probe, type ProbeAnswer, type ProbeSettings } from './probe.ts'

/** All that is given has to hold. The value is the first column of the first row; without a row there is none. */
export interface SqlExpectation {
  /** How many rows there are. */
  readonly rows?: Comparison
  /** The value is a number that compares so. */
  readonly value?: Comparison
  /** The value is this. A number also equals its text: the driver leaves counts as texts. */
  readonly equals?: unknown
}

export interface SqlProbeSpec extends ProbeSettings {
  readonly kind: 'sql'
  /** `postgres://user:password@host:port/database`, with libpq's parameters. */
  readonly url: string
  readonly query: string
  /** For `$1` and so on. */
  readonly values?: readonly unknown[]
  readonly tls?: TlsOptions
  /** Runs that overlap need one each; those beyond wait, and waiting counts. Default 4. */
  readonly maxConnections?: number
  readonly expect?: SqlExpectation
}

type Row = Readonly<Record<string, unknown>>

/** A timeout is told by the probe's own timer, which is to be first. */
const POOL_IS_LATER_MS = 50
/** The server's word for it may be under way by then. */
const SERVER_IS_LATER_MS = 1000

/**
 * Connections are kept, and made anew after a failure. A query that is given up ends at the server by its
 * `statement_timeout`, a second after the probe's timeout.
 *
 * @throws FaultlineError `invalid_value` naming the field
 */
export function createSqlProbe(spec: SqlProbeSpec, clock: Clock): Probe {
  checkUrl(spec)
  if (spec.query.trim() === '') throw invalidField('query', 'an SQL query', spec.query)
  const { maxConnections = 4 } = spec
  if (!(Number.isInteger(maxConnections) && maxConnections >= 1 && maxConnections <= 100)) {
    throw invalidField('maxConnections', 'an integer from 1 to 100', maxConnections)
  }
  return new BoundedProbe(spec, clock, new SqlLook(spec, maxConnections))
}

class SqlLook implements Look {
  readonly #spec: SqlProbeSpec
  readonly #maxConnections: number
  readonly #check: Check<readonly Row[]>
  readonly #sockets = new Set<net.Socket>()
  #driver: Promise<Driver> | undefined

  constructor(spec: SqlProbeSpec, maxConnections: number) {
    this.#spec = spec
    this.#maxConnections = maxConnections
    this.#check = compileSql(spec.expect ?? {})
  }

  async look(signal: AbortSignal): Promise<ProbeAnswer> {
    const { pool, Query } = await (this.#driver ??= this.#load())
    const connecting = pool.connect()
    const client = await unlessAborted(connecting, signal).catch((error: unknown) => {
      // It may come yet, and then is for somebody else.
      connecting.then(
        (late) => late.release(),
        () => undefined,
      )
      throw error
    })
    let isFine = false
    try {
      const query = new Query(this.#spec.query, [...(this.#spec.values ?? [])])
      const rows = await unlessAborted(ask(client, query), signal)
      isFine = true
      const found = this.#check(rows)
      return { ...found, good: found.reason === undefined, observed: { kind: 'sql', rows } }
    } finally {
      client.release(!isFine)
    }
  }

  async close(): Promise<void> {
    if (!this.#driver) return
    const { pool } = await this.#driver
    // The pool would wait for connections that are being made.
    for (const socket of this.#sockets) socket.destroy()
    await pool.end()
  }

  async #load(): Promise<Driver> {
    const { default: pg } = await import('pg')
    const { url, tls, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#spec
    const pool = new pg.Pool({
      connectionString: url,
      ...(tls && { ssl: { ...tls, rejectUnauthorized: !(tls.insecure ?? false) } }),
      max: this.#maxConnections,
      idleTimeoutMillis: 0,
      connectionTimeoutMillis: timeoutMs + POOL_IS_LATER_MS,
      statement_timeout: Math.ceil(timeoutMs) + SERVER_IS_LATER_MS,
      application_name: 'faultline probe',
      stream: () => {
        const socket = new net.Socket()
        this.#sockets.add(socket)
        return socket.once('close', () => this.#sockets.delete(socket))
      },
    })
    // An idle connection that breaks is made anew by the next run.
    pool.on('error', () => undefined)
    return { pool, Query: pg.Query }
  }
}

interface Driver {
  readonly pool: pg.Pool
  readonly Query: typeof pg.Query
}

function checkUrl({ url, tls }: SqlProbeSpec): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed?.protocol !== 'postgres:' && parsed?.protocol !== 'postgresql:') {
    // A URL may hold a password.
    throw invalidField('url', 'a URL that begins with postgres://', url.replace(/\/\/.*@/, '//…@'))
  }
  if (tls && parsed.searchParams.has('sslmode')) {
    throw invalidField('tls', 'either tls or sslmode in the url', 'both')
  }
}

/** Collects rows as they come, so that a large answer can be refused before it fills the memory. */
function ask(client: pg.PoolClient, query: pg.Query): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const rows: Row[] = []
    let bytes = 0
    query.on('row', (row: Row) => {
      bytes += Buffer.byteLength(JSON.stringify(row) ?? '')
      if (bytes > MAX_ANSWER_BYTES) reject(new AnswerTooLarge())
      else rows.push(row)
    })
    query.on('end', () => resolve(rows))
    query.on('error', reject)
    client.query(query)
  })
}

/** @throws Error when the signal aborts, whatever then becomes of the work */
function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error('given up'))
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

function compileSql({ rows, value, equals }: SqlExpectation): Check<readonly Row[]> {
  const checks: Check<readonly Row[]>[] = []
  if (rows !== undefined) {
    const compare = compileComparison(rows, 'expect.rows')
    checks.push((found) => {
      const { reason } = compare(found.length)
      return reason === undefined ? {} : { reason: `${found.length} rows, expected ${rows.op} ${rows.number}` }
    })
  }
  if (value !== undefined) checks.push(onValue(compileValue(value, 'expect.value')))
  if (equals !== undefined) {
    checks.push(
      onValue((found) => {
        const same = typeof equals === 'number' ? asNumber(found) === equals : isDeepStrictEqual(found, equals)
        return same ? {} : { reason: `value ${describeValue(found)}, expected ${describeValue(equals)}` }
      }),
    )
  }
  // Without an expectation the number is of interest all the same.
  checks.push(onValue((found) => numberFinding(asNumber(found))))
  return compileAll(checks)
}

function numberFinding(value: number | undefined): Finding {
  return value === undefined ? {} : { value }
}

function onValue(check: Check<unknown>): Check<readonly Row[]> {
  return ([row]) => check(row === undefined ? undefined : Object.values(row)[0])
}
