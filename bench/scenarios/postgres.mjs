// What understanding Postgres costs: the same transactions through plain TCP, through Postgres without a rule and with
// one, and through what else people put before a database.

import { setTimeout as delay } from 'node:timers/promises'
import { findPgbench } from '../load/pgbench.mjs'
import { pinProxies } from '../pin.mjs'
import { withCpuMeter } from '../process-meter.mjs'
import { interleave } from '../rounds.mjs'
import { missingPostgres, startPostgres } from '../upstreams/postgres-upstream.mjs'
import { warmUp } from './http-work.mjs'
import { startTargets } from './scenario.mjs'

const mostClients = 8

/** As many as there are clients: with fewer branches than that, tpcb-like measures who waits for whose lock. */
const scale = mostClients

/** For a proxy to close what pgbench left open, before its CPU time is read. */
const closingMs = 100

/** Each with a name for its table. */
export const postgresLoads = [
  { name: 'select, 1 client', script: 'select-only', protocol: 'simple', clients: 1 },
  { name: 'select, 8 clients', script: 'select-only', protocol: 'simple', clients: mostClients },
  { name: 'prepared select, 8 clients', script: 'select-only', protocol: 'prepared', clients: mostClients },
  { name: 'TPC-B, 8 clients', script: 'tpcb-like', protocol: 'simple', clients: mostClients },
]

const names = new Set([
  'direct',
  'faultline',
  'faultline-postgres',
  'faultline-postgres+rule',
  'faultline-postgres+poll',
  'naive',
  'toxiproxy',
  'pgbouncer',
  'pgbouncer-transaction',
])

/** Before version 1.21, PgBouncer knows no prepared statements where transactions share connections. */
const withoutPrepared = 'pgbouncer-transaction'

/** @type {import('./scenario.mjs').Scenario} */
export const postgres = {
  name: 'postgres',
  title: 'Understanding Postgres: transactions of pgbench',
  takes: (target) => names.has(target.name),

  async missing() {
    return (await findPgbench()) === null ? 'pgbench is not on PATH' : missingPostgres()
  },

  async run(context) {
    const { note, progress } = context
    const load = await findPgbench()
    const cores = await pinProxies()
    if (cores === null) note('without taskset and a second core the load takes from the proxies')
    try {
      progress('filling the tables')
      const upstream = await startPostgres()
      await load.fill(upstream.port, scale)
      const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: mostClients })
      for (const { pid } of running.values()) if (pid !== null) await cores?.pin(pid)
      const groups = []
      for (const work of postgresLoads) groups.push(await measureGroup(context, load, running, work))
      const where = cores === null ? '' : ', the proxy on a core of its own'
      return { load: `${load.description} at scale ${scale} against ${upstream.description}${where}`, groups }
    } finally {
      await cores?.release()
    }
  },
}

const metrics = [
  { name: 'perSecond', label: 'transactions/s', digits: 0, compared: true },
  { name: 'p50Micros', label: 'p50 µs', digits: 0 },
  { name: 'p99Micros', label: 'p99 µs', digits: 0 },
  { name: 'cpuMicrosEach', label: 'CPU µs/transaction', digits: 2, compared: true },
]

async function measureGroup({ options, note, progress }, load, running, { name: group, ...work }) {
  const taken = [...running].filter(([name]) => work.protocol !== 'prepared' || name !== withoutPrepared)
  const noteOfGroup = (message) => note(`${group}, ${message}`)
  const measure = (target, seconds) => measurePostgres(load, target, { ...work, seconds })
  progress(`${group}, warming up`)
  await warmUp(new Map(taken), (target) => measure(target, 1), noteOfGroup)
  const samples = await interleave({
    targets: taken.map(([name]) => name),
    rounds: options.rounds,
    note: noteOfGroup,
    measure(name, round) {
      progress(`${group}, round ${round + 1}, ${name}`)
      return measure(running.get(name), options.seconds)
    },
  })
  return { name: group, metrics, samples }
}

async function measurePostgres(load, target, work) {
  const { result, usedNanos } = await withCpuMeter(target.pid, async () => {
    const done = await load.run({ port: target.port, ...work })
    await delay(closingMs)
    return done
  })
  const { transactions, perSecond, p50Micros, p99Micros } = result
  return {
    perSecond,
    p50Micros,
    p99Micros,
    cpuMicrosEach: usedNanos === null ? null : usedNanos / 1000 / transactions,
  }
}
