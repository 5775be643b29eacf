// One HTTP measurement through one target, shared by the requests and the connections scenario.

import { setTimeout as delay } from 'node:timers/promises'
import { withCpuMeter } from '../process-meter.mjs'

/** For a proxy to close what the load generator left open, before its CPU time is read. */
const closingMs = 100

/**
 * @param {import('../load/http-load.mjs').HttpLoad} load
 * @param {import('../targets/target.mjs').RunningTarget} target
 * @param {Omit<import('../load/http-load.mjs').HttpLoadRequest, 'port'>} request
 */
export async function measureHttp(load, target, request) {
  const { result, usedNanos } = await withCpuMeter(target.pid, async () => {
    const answered = await load.run({ port: target.port, ...request })
    await delay(closingMs)
    return answered
  })
  return {
    perSecond: result.requests / (result.durationMicros / 1e6),
    p50Micros: result.p50Micros,
    p99Micros: result.p99Micros,
    cpuMicrosEach: usedNanos === null ? null : usedNanos / 1000 / result.requests,
  }
}

/**
 * Load on every target before the first round, so that no round pays for a proxy's compiling.
 *
 * @param {Map<string, import('../targets/target.mjs').RunningTarget>} running
 * @param {(target: import('../targets/target.mjs').RunningTarget) => Promise<unknown>} work
 * @param {(message: string) => void} note
 */
export async function warmUp(running, work, note) {
  for (const [name, target] of running) {
    try {
      await work(target)
    } catch (error) {
      note(`${name}, warming up: ${error.message}`)
    }
  }
}
