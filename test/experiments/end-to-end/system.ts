// A small system as people have it: a shop, payments and a Postgres, with `faultline serve` between them, each a process or
// server of its own. There are several shops, each with proxies of its own, so that experiments don't disturb each other.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startHttpService } from '../../support/http-service.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startServed, type Served } from '../../support/served.ts'

const PROGRAM = join(import.meta.dirname, 'shop.mjs')

/** How a shop was written: see shop.mjs. */
export type ShopMode = 'copes' | 'fragile'

/** What a shop tells of itself. */
export interface ShopState {
  /** To have payments take an order. */
  readonly attempts: number
  readonly retries: number
  /** Orders that were taken while the breaker was open. */
  readonly fallbacks: number
  /** How often the breaker has opened. */
  readonly opened: number
}

export interface Shop {
  /** Where it takes orders. */
  readonly url: string
  /** Names of the proxies that only this shop uses. */
  readonly payments: string
  readonly orders: string
  readonly state: () => Promise<ShopState>
}

/** What ends a part of the system. */
type Closer = () => PromiseLike<unknown>

export class System implements AsyncDisposable {
  readonly server: Served
  readonly #paymentsPort: number
  readonly #databasePort: number
  readonly #closers: Closer[]

  private constructor(server: Served, paymentsPort: number, databasePort: number, closers: Closer[]) {
    this.server = server
    this.#paymentsPort = paymentsPort
    this.#databasePort = databasePort
    this.#closers = closers
  }

  static async start(): Promise<System> {
    // Which requests fail must not depend on the day.
    const starting = [
      startServed('--seed', '7'),
      startHttpService((_request, response) => response.end('paid')),
      startPostgres({ settings: { max_connections: '100' } }),
    ] as const
    const closers = starting.map(
      (start): Closer =>
        () =>
          start.then((each) => each[Symbol.asyncDispose]()),
    )
    try {
      const [server, payments, postgres] = await Promise.all(starting)
      await postgres.query('CREATE TABLE orders (id bigserial PRIMARY KEY, payment text NOT NULL)')
      return new System(server, payments.port, postgres.port, closers)
    } catch (error) {
      await Promise.allSettled(closers.map((close) => close()))
      throw error
    }
  }

  async startShop(name: string, mode: ShopMode): Promise<Shop> {
    const [payments, orders] = [`payments-of-${name}`, `orders-of-${name}`]
    const PAYMENTS_PORT = await this.#proxy(payments, 'http', this.#paymentsPort)
    const DATABASE_PORT = await this.#proxy(orders, 'postgres', this.#databasePort)
    const env = { PATH: process.env['PATH'] ?? '', SHOP_MODE: mode, PAYMENTS_PORT, DATABASE_PORT }
    const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#closers.unshift(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.stdin.end()
      await exited
    })
    const port = await new Promise<string>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the shop ended with ${code} before it listened`)))
      createInterface(child.stdout).once('line', resolve)
    })
    const url = `http://127.0.0.1:${port}`
    const state = async (): Promise<ShopState> => (await (await fetch(`${url}/state`)).json()) as ShopState
    return { url: `${url}/order`, payments, orders, state }
  }

  async #proxy(name: string, protocol: 'http' | 'postgres', upstreamPort: number): Promise<string> {
    const upstream = `127.0.0.1:${upstreamPort}`
    const { listen } = await this.server.api('/v1/proxies', { name, protocol, listen: '127.0.0.1:0', upstream })
    return String(listen).split(':')[1] ?? ''
  }

  /** Shops first: they are not to see the others go. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers) await close()
  }
}
