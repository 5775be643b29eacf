// Takes orders by HTTP and keeps them in Postgres. It knows nothing of Faultline: DATABASE_URL leads there.
import http from 'node:http'
import { text } from 'node:stream/consumers'
import pg from 'pg'

/** A conflict with another transaction (Postgres, appendix A): what was rolled back can be tried again. */
const CONFLICTS = new Set(['40001', '40P01'])
const ATTEMPTS = 3

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  connectionTimeoutMillis: 2000,
  query_timeout: 2000,
})
// A connection that breaks while nobody uses it: the pool opens another when it needs one.
pool.on('error', (error) => console.error(`lost a connection: ${error.message}`))

async function insert(item) {
  const client = await pool.connect()
  let failure
  try {
    await client.query('BEGIN')
    const { rows } = await client.query('INSERT INTO orders (item) VALUES ($1) RETURNING id', [item])
    await client.query('COMMIT')
    return rows[0].id
  } catch (error) {
    failure = error
    await client.query('ROLLBACK').catch(() => {})
    throw error
  } finally {
    // After anything but an error of the server, nobody knows what the connection is in the middle of.
    client.release(failure !== undefined && !CONFLICTS.has(failure.code))
  }
}

async function order(item) {
  for (let attempts = 1; ; attempts++) {
    try {
      return { id: await insert(item), attempts }
    } catch (error) {
      if (!CONFLICTS.has(error.code) || attempts === ATTEMPTS) throw error
    }
  }
}

const routes = {
  'GET /healthz': async () => [200, { ok: true }],
  'GET /orders': async () => [200, (await pool.query('SELECT id, item FROM orders ORDER BY id')).rows],
  'POST /orders': async (request) => [201, await order(await text(request))],
}

async function answer(request, response) {
  const route = routes[`${request.method} ${request.url}`] ?? (async () => [404, { error: 'not found' }])
  const [status, body] = await route(request).catch((error) => [503, { error: error.message }])
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

const server = http.createServer((request, response) => void answer(request, response))

await pool.query('CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, item text NOT NULL)')
server.listen(process.env.PORT ?? 3000, () => console.log(`orders at port ${server.address().port}`))

process.once('SIGTERM', () => {
  server.close()
  void pool.end()
})
