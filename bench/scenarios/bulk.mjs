// One connection at full speed, up and down: MB/s, and what a GB costs the proxy.

import { setTimeout as delay } from 'node:timers/promises'
import { startBulkLoad } from '../load/bulk-load.mjs'
import { withCpuMeter } from '../process-meter.mjs'
import { interleave } from '../rounds.mjs'
import { warmUp } from './http-work.mjs'
import { startTargets } from './scenario.mjs'

/** @type {import('./scenario.mjs').Scenario} */
export const bulk = {
  name: 'bulk',
  title: 'Bulk transfer on one connection',
  takes: (target) => target.carries === 'tcp',

  async run(context) {
    const { options, note, progress } = context
    const load = await startBulkLoad()
    const running = await startTargets(context, { upstreamPort: load.upstreamPort, maxConnections: 100 })
    const groups = []
    for (const direction of ['up', 'down']) {
      progress(`${direction}, warming up`)
      await warmUp(running, (target) => measureBulk(load, target, { direction, seconds: 1 }), note)
      const samples = await interleave({
        targets: [...running.keys()],
        rounds: options.rounds,
        note: (message) => note(`${direction}, ${message}`),
        measure(name, round) {
          progress(`${direction}, round ${round + 1}, ${name}`)
          return measureBulk(load, running.get(name), { direction, seconds: options.seconds })
        },
      })
      groups.push({ name: direction, metrics, samples })
    }
    return { load: load.description, groups }
  },
}

const metrics = [
  { name: 'megabytesPerSecond', label: 'MB/s', digits: 0, compared: true },
  { name: 'cpuMillisPerGigabyte', label: 'CPU ms/GB', digits: 0, compared: true },
]

async function measureBulk(load, target, { direction, seconds }) {
  const { result, usedNanos } = await withCpuMeter(target.pid, async () => {
    const transferred = await load.run({ port: target.port, seconds, direction })
    await delay(100)
    return transferred
  })
  return {
    megabytesPerSecond: result.bytes / 1e6 / result.seconds,
    cpuMillisPerGigabyte: usedNanos === null ? null : usedNanos / 1e6 / (result.bytes / 1e9),
  }
}
