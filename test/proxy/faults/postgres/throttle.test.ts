// pg_throttle: so many rows a second.
import { describe, expect, test } from 'vitest'
import { shape } from '../../../support/postgres-backend.ts'
import type { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import { startPostgresProxied, ways } from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()

/** Slower than anybody waits: what comes, comes because the fault is gone. */
const HARDLY = { type: 'pg_throttle', attributes: { rowsPerSecond: 0.001 } }

function throttle(rowsPerSecond: number) {
  return { type: 'pg_throttle', attributes: { rowsPerSecond } }
}

const PACED = 'pg_throttle_downstream pace'

function rowsIn(client: PostgresConversation): number {
  return client.messages.filter(({ type }) => type === 'D').length
}

/** Rows a second from the arrival of the first one on, as seen at each arrival in the second half of the time. */
async function measure(client: PostgresConversation, messages: readonly Buffer[]): Promise<number[]> {
  client.forget()
  const seen: { rows: number; atMs: number }[] = []
  client.socket.socket.on('data', () => seen.push({ rows: rowsIn(client), atMs: performance.now() }))
  await client.ask(messages)
  const first = seen.find(({ rows }) => rows > 0)!
  const middle = (first.atMs + seen.at(-1)!.atMs) / 2
  return seen
    .filter(({ atMs }) => atMs > middle)
    .map(({ rows, atMs }) => ((rows - first.rows) * 1000) / (atMs - first.atMs))
}

describe('rows come as fast as they may, within a tenth', () => {
  // Two seconds each. A machine that is busy makes rows late, which those behind them make up for: at its best moment
  // in a second the rate has to be the one that was asked for, and it may never be higher.
  test.each([
    ['simple', 50, [query('SELECT * FROM generate_series(1, 101)')]],
    ['extended', 1000, [parse('SELECT * FROM generate_series(1, $1::int)'), bind([2001]), execute(), sync()]],
    [
      'extended, in parts',
      500,
      [parse(`SELECT repeat('x', 3000) FROM generate_series(1, 1001)`), bind(), execute(), sync()],
    ],
  ] as const)('%s: %d a second', async (_name, rowsPerSecond, messages) => {
    await using proxied = await startPostgresProxied(server())
    await using client = await proxied.raw()
    proxied.proxy.addFault(throttle(rowsPerSecond))
    const best = Math.max(...(await measure(client, messages)))
    expect(best).toBeGreaterThan(rowsPerSecond * 0.9)
    expect(best).toBeLessThan(rowsPerSecond * 1.1)
    expect(proxied.injected()).toEqual([PACED])
  })
})

test.each(Object.entries(ways))('%s: all rows arrive, in order', async (_way, connect) => {
  await using proxied = await startPostgresProxied(server())
  const client = await connect(proxied)
  proxied.proxy.addFault(throttle(1000))
  const sql = 'SELECT generate_series(1, 201) AS number'
  const began = performance.now()
  for (const before of ['BEGIN', '']) {
    if (before !== '') await client.run(before)
    expect(await client.run(sql)).toEqual(Array.from({ length: 201 }, (_, index) => ({ number: index + 1 })))
  }
  // 200 ms each, less what timers may be early.
  expect(performance.now() - began).toBeGreaterThan(398)
  // BEGIN has no rows.
  expect(proxied.injected()).toEqual([PACED, PACED])
})

test('what is held passes at once when the fault is removed', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  proxied.proxy.addFault(HARDLY)
  client.forget()
  client.send(query('SELECT generate_series(1, 5000)'), query('SELECT 1'))
  await client.until(() => rowsIn(client) > 0, 'the first row')
  expect(rowsIn(client)).toBe(1)
  proxied.proxy.removeAllFaults()
  // Less than the 5,000,000 s that it would take.
  await client.untilReady(2)
  expect(rowsIn(client)).toBe(5001)
  expect(proxied.injected()).toEqual([PACED])
})

test('of each statement by itself, and only of those that match', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  proxied.proxy.addFault({ ...HARDLY, match: { query: 'generate_series(1, 2)' } })
  client.forget()
  // Without rows there is nothing to wait for.
  expect(shape(await client.query('SELECT 1; SELECT generate_series(1, 9) WHERE false; SET work_mem = 12345'))).toBe(
    'T D C T C C Z(I)',
  )
  client.forget()
  client.send(query('SELECT 1; SELECT generate_series(1, 2); SELECT 3'))
  await client.until(() => rowsIn(client) >= 2, 'two rows')
  expect(shape(client.messages)).toBe('T D C T D')
  proxied.proxy.removeAllFaults()
  await client.untilReady()
  expect(shape(client.messages)).toBe('T D C T D D C T D C Z(I)')
  expect(proxied.injected()).toEqual([PACED])
})
