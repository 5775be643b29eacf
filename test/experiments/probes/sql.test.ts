import { expect, test } from 'vitest'
import { createProbe } from '../../../experiments/probes/create.ts'
import type { ProbeAnswer } from '../../../experiments/probes/probe.ts'
import type { SqlExpectation, SqlProbeSpec } from '../../../experiments/probes/sql.ts'
import { connectionAttempts, startDeafServer } from '../../support/deaf-server.ts'
import { postgresCertificate, postgresForTests } from '../../support/postgres.ts'
import { freePort, RawServer } from '../../support/sockets.ts'

/** Polls end as soon as it is so; a busy machine may take longer than vitest's second. */
const WITHIN = { timeout: 5000 }
const never = new AbortController().signal
const server = postgresForTests({ ssl: true })

function urlOf(port = server().port): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`
}

async function ask(query: string, spec: Partial<SqlProbeSpec> = {}): Promise<ProbeAnswer> {
  await using probe = createProbe({ kind: 'sql', name: 'orders', url: urlOf(), query, ...spec })
  return await probe.run(never)
}

const connected = async (): Promise<number> => {
  const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'faultline probe'"
  return (await server().query<{ n: number }>(sql))[0]!.n
}

test.each<[string, SqlExpectation | undefined, string | undefined]>([
  ['SELECT 1', undefined, undefined],
  ['SELECT count(*) FROM pg_class', { value: { op: '>', number: 0 } }, undefined],
  ['SELECT count(*) FROM pg_class WHERE false', { equals: 0 }, undefined],
  ['SELECT 3::bigint', { equals: 0 }, 'value "3", expected 0'],
  ["SELECT 'up' AS state, 2", { equals: 'up' }, undefined],
  ["SELECT 'down'", { equals: 'up' }, 'value "down", expected "up"'],
  ['SELECT 2.5', { value: { op: '<', number: 2.5 } }, 'value 2.5, expected < 2.5'],
  ['SELECT 1 WHERE false', { value: { op: '<', number: 1 } }, 'value nothing, expected a number'],
  ['SELECT generate_series(1, 3)', { rows: { op: '==', number: 3 } }, undefined],
  ['SELECT generate_series(1, 3)', { rows: { op: '<', number: 3 } }, '3 rows, expected < 3'],
  ['SELECT * FROM nowhere', undefined, 'SQLSTATE 42P01: relation "nowhere" does not exist'],
])('%s, expected %j', async (query, expectation, reason) => {
  const answer = await ask(query, { ...(expectation && { expect: expectation }) })
  expect(answer.reason).toBe(reason)
  expect(answer.good).toBe(reason === undefined)
})

test('values are given to the query, and the first of the first row is the value', async () => {
  const answer = await ask('SELECT $1::int + 1 AS next, 9 AS other', { values: [4] })
  expect(answer).toEqual({ good: true, value: 5, observed: { kind: 'sql', rows: [{ next: 5, other: 9 }] } })
})

test('a connection is kept, and made anew when it is lost', async () => {
  await using probe = createProbe({ kind: 'sql', name: 'orders', url: urlOf(), query: 'SELECT pg_backend_pid()' })
  const first = await probe.run(never)
  expect(await probe.run(never)).toEqual(first)
  await server().query('SELECT pg_terminate_backend($1)', [first.value])
  // The end may reach the probe before its next run or during it: then that run fails, and the next one may not.
  await expect.poll(async () => (await probe.run(never)).good, WITHIN).toBe(true)
  expect((await probe.run(never)).value).not.toBe(first.value)
})

test('a timeout ends the query at the server too, and leaves no connection behind', async () => {
  const probe = createProbe({ kind: 'sql', name: 'o', url: urlOf(), query: 'SELECT pg_sleep(60)', timeoutMs: 200 })
  expect(await probe.run(never)).toEqual({ good: false, reason: 'timeout' })
  await probe.close()
  await expect.poll(connected, WITHIN).toBe(0)
})

test('a query that is given up holds no later one up', async () => {
  await server().query('CREATE TABLE pace AS SELECT 60 AS seconds')
  const spec = { query: 'SELECT pg_sleep(seconds) FROM pace', timeoutMs: 500, maxConnections: 1 }
  await using probe = createProbe({ kind: 'sql', name: 'orders', url: urlOf(), ...spec })
  expect(await probe.run(never)).toEqual({ good: false, reason: 'timeout' })
  await server().query('UPDATE pace SET seconds = 0')
  expect((await probe.run(never)).good).toBe(true)
})

test('runs that overlap do not wait for each other, up to the limit', async () => {
  const spec = { kind: 'sql', name: 'o', url: urlOf(), query: 'SELECT pg_sleep(60)', maxConnections: 2 } as const
  const probe = createProbe(spec)
  const running = Array.from({ length: 5 }, () => probe.run(never))
  await expect.poll(connected, WITHIN).toBe(2)
  await probe.close()
  for (const answer of await Promise.all(running)) expect(answer).toEqual({ good: false, reason: 'given up' })
  // A server notices that only with its next word: it is not waited for here.
  await server().query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'faultline probe'",
  )
})

test('a server that accepts and says nothing is a timeout, and nothing is left of it', async () => {
  await using silent = await RawServer.start()
  const probe = createProbe({ kind: 'sql', name: 'o', url: urlOf(silent.port), query: 'SELECT 1', timeoutMs: 50 })
  expect(await probe.run(never)).toEqual({ good: false, reason: 'timeout' })
  await probe.close()
  expect(await silent.sockets[0]!.untilEnded()).not.toBe('open')
})

test('a connection attempt does not outlive the probe', async () => {
  using deaf = await startDeafServer()
  // It would be waited for as long as that.
  const probe = createProbe({ kind: 'sql', name: 'o', url: urlOf(deaf.port), query: 'SELECT 1', timeoutMs: 60_000 })
  const running = probe.run(never)
  await expect.poll(connectionAttempts, WITHIN).toBe(1)
  await probe.close()
  expect(await running).toEqual({ good: false, reason: 'given up' })
  await expect.poll(connectionAttempts, WITHIN).toBe(0)
})

test('nobody listens', async () => {
  expect(await ask('SELECT 1', { url: urlOf(await freePort()) })).toEqual({ good: false, reason: 'ECONNREFUSED' })
})

test('an answer of more than 1 MiB is not kept', async () => {
  const query = "SELECT repeat('x', 1000) FROM generate_series(1, 1100)"
  expect(await ask(query)).toEqual({ good: false, reason: 'an answer of more than 1048576 bytes' })
})

test('TLS trusts what it is told to', async () => {
  const query = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'
  expect(await ask(query, { tls: {} })).toEqual({ good: false, reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  for (const tls of [{ ca: postgresCertificate.cert }, { insecure: true }]) {
    expect((await ask(query, { tls, expect: { equals: true } })).good).toBe(true)
  }
})

test.each<[Partial<SqlProbeSpec>, string]>([
  [{ url: 'mysql://ann:secret@db/shop' }, 'url: expected a URL that begins with postgres://, got "mysql://…@db/shop"'],
  [{ query: ' ' }, 'query: expected an SQL query, got " "'],
  [{ maxConnections: 0 }, 'maxConnections: expected an integer from 1 to 100, got 0'],
  [{ url: 'postgres://db/shop?sslmode=require', tls: {} }, 'tls: expected either tls or sslmode in the url'],
])('%j is refused', (wrong, message) => {
  const spec: SqlProbeSpec = { kind: 'sql', name: 'o', url: 'postgres://db/shop', query: 'SELECT 1', ...wrong }
  expect(() => createProbe(spec)).toThrow(message)
})
