// The code under test: asks the database, and gives up after 400 ms.
import pg from 'pg'

const LIMIT_MS = 400

export async function query(databaseUrl: string): Promise<string> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: LIMIT_MS,
    query_timeout: LIMIT_MS,
  })
  await client.connect()
  try {
    const { rows } = await client.query<{ answer: string }>("SELECT 'here I am' AS answer")
    return rows[0]?.answer ?? ''
  } finally {
    await client.end()
  }
}
