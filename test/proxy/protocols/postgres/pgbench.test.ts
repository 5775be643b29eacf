// A bank whose statements fail at random and whose clients try again, as TPC-B has it: whatever fails where, no money is
// lost or made, the history has a row for each transfer that a client was told of, and each failure was one on record.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import postgres from 'postgres'
import { beforeAll, describe, expect, test } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'

const CLIENTS = 8
const LONG = process.env['FAULTLINE_LONG'] ? 10 : 1
/** By each client: at 5 % of five statements some 40 failures in all, of which chance brings never less than one. */
const TRANSACTIONS = 20 * LONG
/** With one failure in twenty, a hundred in a row don't come. */
const TRIES = 100

/** A run takes a second; ten times that, and as much again for a machine that does something else. */
const TIMEOUT_MS = 15_000 * Math.max(1, LONG / 2)

const ACCOUNTS = 1000
const TELLERS = 10

const server = postgresForTests()

beforeAll(() =>
  server().query(`
    CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int NOT NULL);
    CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int NOT NULL);
    CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int NOT NULL);
    CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp);
    INSERT INTO pgbench_branches VALUES (1, 0);
    INSERT INTO pgbench_tellers SELECT tid, 1, 0 FROM generate_series(1, ${TELLERS}) AS tid;
    INSERT INTO pgbench_accounts SELECT aid, 1, 0 FROM generate_series(1, ${ACCOUNTS}) AS aid;
  `),
)

/** What clients say they have done. */
interface Reported {
  readonly processed: number
  readonly retries: number
}

/** Runs a load through a proxy with these faults, and looks at the bank and the books afterwards. */
async function balances(faults: readonly FaultSpec[], load: (port: number) => Promise<Reported>): Promise<void> {
  await server().query(`
    UPDATE pgbench_branches SET bbalance = 0;
    UPDATE pgbench_tellers SET tbalance = 0;
    UPDATE pgbench_accounts SET abalance = 0;
    TRUNCATE pgbench_history;
  `)
  const network = new Network({ seed: 7 })
  try {
    const upstream = `127.0.0.1:${server().port}`
    const proxy = await network.createProxy({ name: 'bank', protocol: 'postgres', upstream, faults })
    const { processed, retries } = await load(portOf(proxy))
    const injections = network.injections.entries()
    const [sums] = await server().query(`
      SELECT
        (SELECT sum(bbalance) FROM pgbench_branches)::int AS branches,
        (SELECT sum(tbalance) FROM pgbench_tellers)::int AS tellers,
        (SELECT sum(abalance) FROM pgbench_accounts)::int AS accounts,
        count(*)::int AS transfers,
        sum(delta)::int AS history
      FROM pgbench_history
    `)
    expect(sums).toEqual({
      branches: sums!['history'],
      tellers: sums!['history'],
      accounts: sums!['history'],
      history: sums!['history'],
      transfers: processed,
    })
    expect(retries).toBe(injections.length)
    expect(injections.length).toBeGreaterThan(0)
  } finally {
    await network.close()
  }
}

const code = 'serialization_failure'

/** `at` as pg_error has it; what it acts on is spread over the whole transaction. */
const anywhere = (at?: string): FaultSpec[] => [
  {
    type: 'pg_error',
    probability: 0.05,
    match: { statement: ['update', 'insert', 'select'] },
    attributes: { code, ...(at !== undefined && { at }) },
  },
]

/** Explicit commits, of which there are fewer. */
const atCommit: FaultSpec[] = [
  { type: 'pg_error', probability: 0.2, match: { statement: 'commit' }, attributes: { code, at: 'commit' } },
]

// ---- pgbench -----------------------------------------------------------------------------------------------------------

const run = promisify(execFile)

const VARIABLES = `
\\set aid random(1, ${ACCOUNTS})
\\set tid random(1, ${TELLERS})
\\set delta random(-5000, 5000)
`
const TRANSFER = `
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = 1;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, 1, :aid, :delta, CURRENT_TIMESTAMP);
`
const PLAIN = `${VARIABLES}BEGIN;${TRANSFER}END;\n`
const PIPELINE = `${VARIABLES}\\startpipeline\nBEGIN;${TRANSFER}END;\n\\endpipeline\n`
/** One Sync for all: the server makes one transaction of it. */
const IMPLICIT = `${VARIABLES}\\startpipeline${TRANSFER}\\endpipeline\n`
/** `\;` joins statements to one Query. */
const AT_ONCE = `${VARIABLES}BEGIN\\;${TRANSFER.trim().replaceAll(';\n', '\\;\n')}\nEND;\n`

async function pgbench(port: number, mode: string, script: string): Promise<Reported> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-pgbench-'))
  try {
    const file = join(folder, 'script.sql')
    await writeFile(file, script)
    const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', 'postgres']
    const load = ['-c', String(CLIENTS), '-t', String(TRANSACTIONS), '-M', mode, '--max-tries', String(TRIES)]
    const { stdout } = await run('pgbench', [...where, ...load, '-n', '-f', file])
    const found = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1])
    expect(found(/actually processed: (\d+)/)).toBe(CLIENTS * TRANSACTIONS)
    expect(found(/failed transactions: (\d+)/)).toBe(0)
    return { processed: CLIENTS * TRANSACTIONS, retries: found(/total number of retries: (\d+)/) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Since version 15 pgbench tries again. */
const present = (() => {
  try {
    return Number(/ (\d+)/.exec(execFileSync('pgbench', ['--version'], { encoding: 'utf8' }))?.[1]) >= 15
  } catch {
    return false
  }
})()

describe.skipIf(!present)('pgbench', { timeout: TIMEOUT_MS }, () => {
  test.each([
    ['simple', 'simple', PLAIN],
    ['all in one simple query', 'simple', AT_ONCE],
    ['extended', 'extended', PLAIN],
    ['prepared', 'prepared', PLAIN],
    ['pipeline', 'extended', PIPELINE],
    ['pipeline of prepared statements', 'prepared', PIPELINE],
    ['pipeline in an implicit transaction', 'extended', IMPLICIT],
  ])('%s: statements fail anywhere', async (_name, mode, script) => {
    await balances(anywhere(), (port) => pgbench(port, mode, script))
  })

  test.each([
    ['simple', 'simple', PLAIN],
    ['all in one simple query', 'simple', AT_ONCE],
    ['prepared', 'prepared', PLAIN],
    ['pipeline', 'extended', PIPELINE],
  ])('%s: commits fail', async (_name, mode, script) => {
    await balances(atCommit, (port) => pgbench(port, mode, script))
  })

  test('pipeline in an implicit transaction: its commit fails', async () => {
    await balances(anywhere('commit'), (port) => pgbench(port, 'extended', IMPLICIT))
  })

  test('statements fail after they have run', async () => {
    await balances(anywhere('after'), (port) => pgbench(port, 'simple', PLAIN))
    await balances(anywhere('after'), (port) => pgbench(port, 'extended', PIPELINE))
  })

  test('statements fail at Bind', async () => {
    await balances(anywhere('bind'), (port) => pgbench(port, 'prepared', PIPELINE))
  })
})

// ---- the same by drivers, which every machine has ------------------------------------------------------------------------

/** One transfer on a client's connection; rejects if it failed. */
type Transfer = (values: { aid: number; tid: number; delta: number }) => Promise<unknown>

/** A short run of the same load. Which accounts it is does not matter, only that they differ. */
async function driven(clients: readonly Transfer[]): Promise<Reported> {
  const transactions = Math.ceil(TRANSACTIONS / 2)
  let retries = 0
  const work = async (transfer: Transfer, client: number): Promise<void> => {
    for (let index = 0; index < transactions; index++) {
      const number = client * transactions + index
      const values = { aid: 1 + (number % ACCOUNTS), tid: 1 + (number % TELLERS), delta: number - 60 }
      while (!(await succeeds(transfer(values)))) retries++
    }
  }
  await Promise.all(clients.map(work))
  return { processed: clients.length * transactions, retries }
}

/** Everything but the injected error is a failure of the test. */
async function succeeds(transfer: Promise<unknown>): Promise<boolean> {
  try {
    await transfer
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== '40001') throw error
    return false
  }
}

const UPDATE_ACCOUNT = 'UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2'
const SELECT_ACCOUNT = 'SELECT abalance FROM pgbench_accounts WHERE aid = $1'
const UPDATE_TELLER = 'UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2'
const UPDATE_BRANCH = 'UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = 1'
const INSERT_HISTORY = 'INSERT INTO pgbench_history VALUES ($1, 1, $2, $3, CURRENT_TIMESTAMP)'

const pgModes = {
  simple: (client: pg.Client, text: string, values: number[]) =>
    client.query(text.replace(/\$(\d)/g, (_, position: string) => String(values[Number(position) - 1]))),
  extended: (client: pg.Client, text: string, values: number[]) => client.query(text, values),
  prepared: (client: pg.Client, text: string, values: number[]) =>
    client.query({ name: text.slice(0, 30), text, values }),
} as const

async function throughPg(port: number, ask: (typeof pgModes)[keyof typeof pgModes]): Promise<Reported> {
  const clients = Array.from({ length: CLIENTS }, () => new pg.Client({ ...server().connectionOptions, port }))
  await Promise.all(clients.map((client) => client.connect()))
  const transfer =
    (client: pg.Client): Transfer =>
    async ({ aid, tid, delta }) => {
      try {
        await client.query('BEGIN')
        await ask(client, UPDATE_ACCOUNT, [delta, aid])
        await ask(client, SELECT_ACCOUNT, [aid])
        await ask(client, UPDATE_TELLER, [delta, tid])
        await ask(client, UPDATE_BRANCH, [delta])
        await ask(client, INSERT_HISTORY, [tid, aid, delta])
        await client.query('COMMIT')
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    }
  const reported = await driven(clients.map(transfer))
  await Promise.all(clients.map((client) => client.end()))
  return reported
}

/** postgres.js sends the statements of a transaction without waiting for answers. */
function transferByPostgresJs(sql: postgres.Sql): Transfer {
  return ({ aid, tid, delta }) =>
    sql.begin((own) => [
      own`UPDATE pgbench_accounts SET abalance = abalance + ${delta} WHERE aid = ${aid}`,
      own`SELECT abalance FROM pgbench_accounts WHERE aid = ${aid}`,
      own`UPDATE pgbench_tellers SET tbalance = tbalance + ${delta} WHERE tid = ${tid}`,
      own`UPDATE pgbench_branches SET bbalance = bbalance + ${delta} WHERE bid = 1`,
      own`INSERT INTO pgbench_history VALUES (${tid}, 1, ${aid}, ${delta}, CURRENT_TIMESTAMP)`,
    ])
}

async function throughPostgresJs(port: number): Promise<Reported> {
  const { user, database } = server()
  const clients = Array.from({ length: CLIENTS }, () =>
    postgres({ host: '127.0.0.1', port, user, database, max: 1, onnotice: () => {} }),
  )
  const reported = await driven(clients.map(transferByPostgresJs))
  await Promise.all(clients.map((client) => client.end()))
  return reported
}

describe.each([
  ['anywhere', anywhere()],
  ['at the commit', atCommit],
])('drivers, failures %s', { timeout: TIMEOUT_MS }, (_name, faults) => {
  test.each(['simple', 'extended', 'prepared'] as const)('pg, %s', async (mode) => {
    await balances(faults, (port) => throughPg(port, pgModes[mode]))
  })

  test('postgres.js, which pipelines', async () => {
    await balances(faults, throughPostgresJs)
  })
})
