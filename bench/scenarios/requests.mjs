// Small requests on kept-alive connections: throughput, latency, and what a request costs the proxy.

import { findHttpLoad } from '../load/http-load.mjs'
import { interleave } from '../rounds.mjs'
import { startHttpUpstream } from '../upstreams/http-upstream.mjs'
import { measureHttp, warmUp } from './http-work.mjs'
import { startTargets } from './scenario.mjs'

const connectionCounts = [1, 32, 256]

/** The group of a number of connections. */
export const requestsGroup = (connections) => `${connections} connection${connections === 1 ? '' : 's'}`

/** @type {import('./scenario.mjs').Scenario} */
export const requests = {
  name: 'requests',
  title: 'Requests on kept-alive connections',
  takes: () => true,

  async run(context) {
    const { options, note, progress } = context
    const load = await findHttpLoad()
    const upstream = await startHttpUpstream()
    const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: 300 })
    progress('warming up')
    const warmUpLoad = { connections: 32, seconds: 2, keepAlive: true }
    await warmUp(running, (target) => measureHttp(load, target, warmUpLoad), note)
    const groups = []
    for (const connections of connectionCounts) {
      const samples = await interleave({
        targets: [...running.keys()],
        rounds: options.rounds,
        note: (message) => note(`${requestsGroup(connections)}, ${message}`),
        measure(name, round) {
          progress(`${requestsGroup(connections)}, round ${round + 1}, ${name}`)
          return measureHttp(load, running.get(name), { connections, seconds: options.seconds, keepAlive: true })
        },
      })
      groups.push({ name: requestsGroup(connections), metrics, samples: withAddedLatency(samples) })
    }
    return { load: `${load.description} against ${upstream.description}`, groups }
  },
}

const metrics = [
  { name: 'perSecond', label: 'requests/s', digits: 0, compared: true },
  { name: 'p50Micros', label: 'p50 µs', digits: 0 },
  { name: 'addedP50Micros', label: 'added p50 µs', digits: 1, compared: true },
  { name: 'p99Micros', label: 'p99 µs', digits: 0, compared: true },
  { name: 'cpuMicrosEach', label: 'CPU µs/request', digits: 2, compared: true },
]

/** Adds what a target's p50 is above that of the direct way in the same round. */
function withAddedLatency(samples) {
  const direct = samples.direct ?? []
  const added = (sample, round) => {
    if (sample === null || (direct[round] ?? null) === null || samples.direct.includes(sample)) return null
    return sample.p50Micros - direct[round].p50Micros
  }
  return Object.fromEntries(
    Object.entries(samples).map(([name, rounds]) => {
      return [name, rounds.map((sample, round) => sample && { ...sample, addedP50Micros: added(sample, round) })]
    }),
  )
}
