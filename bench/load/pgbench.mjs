// PostgreSQL's own load generator: pgbench with one thread.

import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram, temporaryFolder } from '../children.mjs'
import { host } from '../network.mjs'
import { findProgram } from '../programs.mjs'
import { percentile } from '../statistics.mjs'
import { database, superuser } from '../upstreams/postgres-upstream.mjs'

/**
 * @typedef {object} PgbenchRequest
 * @property {number} port
 * @property {number} seconds
 * @property {number} clients connections
 * @property {'select-only' | 'tpcb-like'} script one of pgbench's own
 * @property {'simple' | 'extended' | 'prepared'} protocol how statements are sent
 *
 * @typedef {object} PgbenchResult
 * @property {number} transactions
 * @property {number} perSecond without the time to connect
 * @property {number} p50Micros of a transaction
 * @property {number} p99Micros
 *
 * @typedef {object} Pgbench
 * @property {string} description
 * @property {(port: number, scale: number) => Promise<void>} fill makes the tables; 100,000 accounts for each of scale
 * @property {(request: PgbenchRequest) => Promise<PgbenchResult>} run
 */

/** @returns {Promise<Pgbench | null>} null when it is not there */
export async function findPgbench() {
  const program = await findProgram('pgbench')
  if (program === null) return null
  const folder = temporaryFolder()
  let runs = 0
  return {
    description: `pgbench ${program.version}`,
    async fill(port, scale) {
      await runProgram(program.path, ['-i', '-q', '-s', String(scale), connection(port)], { timeoutMs: 120_000 })
    },
    async run(request) {
      const log = `run-${++runs}`
      const args = [...loadArgs(request), '--log', `--log-prefix=${join(folder, log)}`, connection(request.port)]
      const { stdout } = await runProgram(program.path, args, { timeoutMs: (request.seconds + 15) * 1000 })
      return { ...readReport(stdout), ...readLog(folder, log) }
    },
  }
}

function loadArgs({ seconds, clients, script, protocol }) {
  // A script that changes nothing leaves nothing to vacuum.
  const vacuum = script === 'select-only' ? ['-n'] : []
  return ['-b', script, ...vacuum, '-M', protocol, '-c', String(clients), '-j', '1', '-T', String(seconds)]
}

/** Encryption is off: asking for it would cost each connection a round trip to learn that the server has none. */
function connection(port) {
  return `host=${host} port=${port} user=${superuser} dbname=${database} sslmode=disable gssencmode=disable`
}

function readReport(stdout) {
  const value = (pattern) => Number(pattern.exec(stdout)?.[1])
  const transactions = value(/^number of transactions actually processed: (\d+)/m)
  const perSecond = value(/^tps = ([\d.]+) /m)
  if (!(transactions > 0 && perSecond > 0)) throw new Error(`no transactions in what pgbench printed: ${stdout}`)
  // Versions before 15 do not print failures: there a failed transaction ends the run.
  const failed = value(/^number of failed transactions: (\d+)/m)
  if (failed > 0) throw new Error(`${failed} of ${transactions + failed} transactions failed`)
  return { transactions, perSecond }
}

/** A line a transaction: the client's number, the transaction's, and how long it took in µs; then its time of day. */
function readLog(folder, prefix) {
  const micros = []
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`${prefix}.`))) {
    const path = join(folder, name)
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line !== '') micros.push(Number(line.split(' ', 3)[2]))
    }
    rmSync(path)
  }
  return { p50Micros: percentile(micros, 50), p99Micros: percentile(micros, 99) }
}
