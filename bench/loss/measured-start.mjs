// What was measured in the first seconds of each connection.
import { readFileSync } from 'node:fs'

/**
 * The times of the exchanges that began in the first `seconds` of their connection, as a run of that length has them. How
 * long an exchange takes depends on those before it (the window, the estimate of the round trip): the first 8 s of the
 * ping-pongs at 10 ms with 30 % lost both ways are 0.04 from the whole.
 *
 * @param {'pingpong' | 'resp100k'} workload
 * @returns {number[]} milliseconds
 */
export function measuredTimesOfFirst(seconds, workload, { way, rttMs, percent }) {
  const file = new URL(`../data/loss/${workload}_${way}_rtt${rttMs}_p${percent}.csv`, import.meta.url)
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(','))
  const elapsedMs = new Map()
  return rows.flatMap(([connection, microseconds, unfinished]) => {
    const beginMs = elapsedMs.get(connection) ?? 0
    const milliseconds = Number(microseconds) / 1000
    elapsedMs.set(connection, beginMs + milliseconds)
    return unfinished === undefined && beginMs < seconds * 1000 ? [milliseconds] : []
  })
}
