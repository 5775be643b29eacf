// The application of the demo: it takes orders, has them paid by the HTTP service, and stores them in Postgres. It knows
// nothing of proxies; it has been told their addresses in place of the services' own.
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { Agent, request } from 'undici'
import { parseAddress } from '../../proxy/address.ts'
import type { Tally } from './tally.ts'

export interface OrderPlaces {
  /** `host:port`. */
  readonly payments: string
  /** `host:port`; without it, orders are paid and not stored. */
  readonly database: string | undefined
}

/** An order takes no longer: who shops would have left. */
export const PATIENCE_MS = 1000

/** So many orders are under way at any time. */
const CUSTOMERS = 4

/** A customer orders again after this time, if the last order is through by then. */
const PAUSE_MS = 50

/** Why an order failed, in the few words that it is counted by. */
class OrderError extends Error {
  override readonly name = 'OrderError'
}

export class OrderApplication {
  readonly #url: string
  readonly #agent = new Agent({ connect: { timeout: PATIENCE_MS }, connections: CUSTOMERS })
  readonly #pool: pg.Pool | undefined

  constructor({ payments, database }: OrderPlaces) {
    this.#url = `http://${payments}/charges`
    if (database === undefined) return
    const pool = new pg.Pool({
      ...parseAddress(database, 'database'),
      user: 'postgres',
      database: 'postgres',
      max: CUSTOMERS,
      connectionTimeoutMillis: PATIENCE_MS,
      query_timeout: PATIENCE_MS,
    })
    // A connection that breaks while nobody uses it has no order to fail; one that is in use fails its query, too.
    pool.on('error', () => undefined)
    pool.on('connect', (client) => client.on('error', () => undefined))
    this.#pool = pool
  }

  /** Takes orders until the signal aborts, and ends those that are under way. */
  async run(tally: Tally, signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: CUSTOMERS }, () => this.#customer(tally, signal)))
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#pool?.end()])
  }

  async #customer(tally: Tally, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const beganMs = performance.now()
      const elapsedMs = (): number => performance.now() - beganMs
      try {
        await this.#pay()
        await this.#store()
        tally.placed(elapsedMs())
      } catch (error) {
        if (!(error instanceof OrderError)) throw error
        tally.failed(error.message, elapsedMs())
      }
      await wait(Math.max(0, PAUSE_MS - elapsedMs()), undefined, { signal }).catch(() => undefined)
    }
  }

  async #pay(): Promise<void> {
    const status = await request(this.#url, {
      method: 'POST',
      body: '{"cents":1990}',
      headers: { 'content-type': 'application/json' },
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      (cause: unknown) => {
        throw new OrderError(`payments: ${reasonOf(cause)}`, { cause })
      },
    )
    if (status !== 200) throw new OrderError(`payments: HTTP ${status}`)
  }

  async #store(): Promise<void> {
    if (!this.#pool) return
    try {
      await store(this.#pool)
    } catch (cause) {
      throw new OrderError(`database: ${reasonOf(cause)}`, { cause })
    }
  }
}

async function store(pool: pg.Pool): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query('INSERT INTO orders (cents) VALUES ($1)', [1990])
    await client.query('COMMIT')
    client.release()
  } catch (error) {
    // Nobody knows what a connection is in the middle of: another one is made.
    client.release(true)
    throw error
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // node-postgres says it in words only.
  const isLate = error.name === 'TimeoutError' || /timeout/i.test(error.message)
  if (isLate) return `no answer in ${PATIENCE_MS / 1000} s`
  const { code } = error as Error & { readonly code?: unknown }
  if (error instanceof pg.DatabaseError) return `SQLSTATE ${String(code)}`
  return typeof code === 'string' ? code : error.message
}
