// Reads the measurements of bench/data/loss.
import { readFileSync } from 'node:fs'

/** What was measured: the two ways of losing, the round trips in milliseconds, the loss in percent. */
export const CELLS = ['both', 's2c'].flatMap((way) =>
  [10, 50].flatMap((rttMs) => [1, 5, 15, 30].map((percent) => ({ way, rttMs, percent }))),
)

/** What was not finished in time, or failed, is left out. @returns {number[]} milliseconds */
export function measuredTimes(workload, cell) {
  return rows(workload, cell)
    .map((row) => (workload === 'connect' ? row : row.slice(1)))
    .filter((row) => row.length === 1)
    .map(([microseconds]) => Number(microseconds) / 1000)
}

/** @returns {number[]} bytes of each connection */
export function measuredBytes(cell) {
  return rows('bulk', cell).map(([, bytes]) => Number(bytes))
}

/**
 * How many connections and how many exchanges on each were run. Where 30 % were lost both ways no connection came to
 * the end of its 100 KB answers; then the deadline is the limit.
 */
export function measuredShape(workload, cell) {
  const perConnection = new Map()
  for (const [connection] of rows(workload, cell)) {
    perConnection.set(connection, (perConnection.get(connection) ?? 0) + 1)
  }
  const endless = workload === 'resp100k' && cell.way === 'both' && cell.percent === 30
  return { connections: perConnection.size, exchanges: endless ? Infinity : Math.max(...perConnection.values()) }
}

/** The attributes of the link that was measured. */
export function linkAttributes(defaults, { way, rttMs, percent, algorithm = 'cubic' }) {
  const loss = percent / 100
  return { ...defaults, upstreamLoss: way === 'both' ? loss : 0, downstreamLoss: loss, rttMs, congestion: algorithm }
}

function rows(workload, { way, rttMs, percent, algorithm }) {
  const suffix = algorithm ? `_${algorithm}` : ''
  const file = new URL(`../data/loss/${workload}_${way}_rtt${rttMs}_p${percent}${suffix}.csv`, import.meta.url)
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(','))
}
