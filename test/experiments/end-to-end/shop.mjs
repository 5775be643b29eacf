// A shop, as a service of its own: for each order it asks payments over HTTP, and stores the order in Postgres. It knows
// nothing of proxies. SHOP_MODE says how it was written:
//
//   copes    tries again, gives up what takes too long, has a circuit breaker with a fallback, asks the database once
//   fragile  asks payments once and passes its errors on, asks the database for this and that, one after another
//
// GET /order takes an order, GET /state tells what it has seen. It says its port when it listens, and ends with the
// standard input, so that it never outlives whoever has started it.
import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'

const { SHOP_MODE: mode, PAYMENTS_PORT: paymentsPort, DATABASE_PORT: databasePort } = process.env
if (mode !== 'copes' && mode !== 'fragile') throw new Error(`SHOP_MODE: expected copes or fragile, got ${mode}`)
const copes = mode === 'copes'

const HOST = '127.0.0.1'
/** Of one attempt, of those that cope. Others wait for as long as it takes. */
const ATTEMPT_MS = 500
const ATTEMPTS = 4
const PAUSE_MS = 5
/** So many orders may be with the database at a time. Node-postgres' default is what those have who don't care. */
const DATABASE_CONNECTIONS = copes ? 24 : 10

const state = { attempts: 0, retries: 0, fallbacks: 0, opened: 0 }

// ---- payments --------------------------------------------------------------------------------------------------------

const agent = new http.Agent({ keepAlive: true })

/** Whether payments took the order. */
function charge() {
  state.attempts++
  return new Promise((resolve) => {
    const limit = copes ? { timeout: ATTEMPT_MS } : {}
    const request = http.get({ host: HOST, port: paymentsPort, path: '/charge', agent, ...limit }, (response) => {
      response.resume().on('close', () => resolve(response.statusCode === 200 && response.complete))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

/** Open when too many of the latest attempts have failed; then one attempt now and then tells whether to close it. */
class Breaker {
  static LATEST = 20
  static LEAST = 8
  /** Five in a hundred are for retries, forty in a hundred are not. */
  static FAILED_SHARE = 0.25
  static OPEN_MS = 1000

  #latest = []
  #openUntilMs = 0

  get isOpen() {
    return performance.now() < this.#openUntilMs
  }

  /** @param isGood how an attempt went */
  saw(isGood) {
    const wasTrial = this.#openUntilMs > 0
    this.#latest = wasTrial && isGood ? [] : [...this.#latest, isGood].slice(-Breaker.LATEST)
    if (wasTrial && isGood) this.#openUntilMs = 0
    const failed = this.#latest.filter((each) => !each).length
    const isBad = this.#latest.length >= Breaker.LEAST && failed / this.#latest.length >= Breaker.FAILED_SHARE
    if (isGood || !isBad || this.isOpen) return
    this.#openUntilMs = performance.now() + Breaker.OPEN_MS
    state.opened++
  }
}

const breaker = new Breaker()

/** What becomes of an order's payment: it is paid, it is to be paid later, or it failed. */
async function pay() {
  if (!copes) return (await charge()) ? 'paid' : 'failed'
  for (let attempt = 1; attempt <= ATTEMPTS && !breaker.isOpen; attempt++) {
    if (attempt > 1) {
      state.retries++
      await wait(PAUSE_MS * attempt)
    }
    const isGood = await charge()
    breaker.saw(isGood)
    if (isGood) return 'paid'
  }
  if (!breaker.isOpen) return 'failed'
  state.fallbacks++
  return 'later'
}

// ---- the database ----------------------------------------------------------------------------------------------------

const pool = new pg.Pool({
  host: HOST,
  port: Number(databasePort),
  user: 'postgres',
  database: 'postgres',
  max: DATABASE_CONNECTIONS,
  idleTimeoutMillis: 0,
})
// A connection that breaks while nobody uses it has no order to fail.
pool.on('error', () => undefined)

/** Those that cope are not to make connections when the database is slow already. */
async function warmUp() {
  const clients = await Promise.all(Array.from({ length: copes ? DATABASE_CONNECTIONS : 1 }, () => pool.connect()))
  for (const client of clients) client.release()
}

async function store(payment) {
  const insert = 'INSERT INTO orders (payment) VALUES ($1)'
  if (copes) return pool.query(insert, [payment])
  const client = await pool.connect()
  try {
    for (const what of ['customer', 'basket', 'stock', 'price']) await client.query('SELECT $1', [what])
    return await client.query(insert, [payment])
  } finally {
    client.release()
  }
}

// ---- the service -----------------------------------------------------------------------------------------------------

async function order() {
  const payment = await pay()
  if (payment === 'failed') return 502
  await store(payment)
  return payment === 'paid' ? 200 : 202
}

/** Whatever goes wrong is told as an error of its own. */
async function answer(response) {
  const status = await order().catch(() => 500)
  response.writeHead(status).end()
}

const server = http.createServer((request, response) => {
  if (request.url === '/state') response.end(JSON.stringify(state))
  else void answer(response)
})

process.stdin.resume().on('end', () => process.exit())
await warmUp()
server.listen(0, HOST)
await once(server, 'listening')
process.stdout.write(`${server.address().port}\n`)
