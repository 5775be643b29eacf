// A new connection for every request: connections a second, and what one costs the proxy.

import { findHttpLoad } from '../load/http-load.mjs'
import { interleave } from '../rounds.mjs'
import { startHttpUpstream } from '../upstreams/http-upstream.mjs'
import { measureHttp, warmUp } from './http-work.mjs'
import { startTargets } from './scenario.mjs'

const atATime = 32

/** @type {import('./scenario.mjs').Scenario} */
export const connections = {
  name: 'connections',
  title: `A connection for every request, ${atATime} at a time`,
  takes: () => true,

  async run(context) {
    const { options, note, progress } = context
    const load = await findHttpLoad()
    const upstream = await startHttpUpstream()
    const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: 300 })
    const measure = (target, seconds) => {
      return measureHttp(load, target, { connections: atATime, seconds, keepAlive: false })
    }
    progress('warming up')
    await warmUp(running, (target) => measure(target, 1), note)
    const samples = await interleave({
      targets: [...running.keys()],
      rounds: options.rounds,
      note,
      measure(name, round) {
        progress(`round ${round + 1}, ${name}`)
        return measure(running.get(name), options.seconds)
      },
    })
    const groups = [{ name: 'all', metrics, samples }]
    return { load: `${load.description} with Connection: close against ${upstream.description}`, groups }
  },
}

const metrics = [
  { name: 'perSecond', label: 'connections/s', digits: 0, compared: true },
  { name: 'p50Micros', label: 'p50 µs', digits: 0 },
  { name: 'p99Micros', label: 'p99 µs', digits: 0 },
  { name: 'cpuMicrosEach', label: 'CPU µs/connection', digits: 1, compared: true },
]
