// What understanding HTTP costs: the same requests through plain TCP, through HTTP without a rule and with one, and
// through what else people put between two services.

import { findHttpLoad } from '../load/http-load.mjs'
import { pinProxies } from '../pin.mjs'
import { interleave } from '../rounds.mjs'
import { startHttpUpstream } from '../upstreams/http-upstream.mjs'
import { measureHttp, warmUp } from './http-work.mjs'
import { startTargets } from './scenario.mjs'

const connections = 32

const names = new Set(['faultline', 'faultline-http', 'faultline-http+rule', 'haproxy-http', 'http-proxy'])

/** @type {import('./scenario.mjs').Scenario} */
export const http = {
  name: 'http',
  title: `Understanding HTTP: requests on ${connections} kept-alive connections`,
  takes: (target) => names.has(target.name),

  async run(context) {
    const { options, note, progress } = context
    const load = await findHttpLoad()
    const cores = await pinProxies()
    if (cores === null) note('without taskset and a second core the load takes from the proxies')
    const upstream = await startHttpUpstream()
    const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: 300 })
    for (const { pid } of running.values()) await cores?.pin(pid)
    const measure = (target, seconds) => measureHttp(load, target, { connections, seconds, keepAlive: true })
    progress('warming up')
    await warmUp(running, (target) => measure(target, 2), note)
    const samples = await interleave({
      targets: [...running.keys()],
      rounds: options.rounds,
      note,
      measure(name, round) {
        progress(`round ${round + 1}, ${name}`)
        return measure(running.get(name), options.seconds)
      },
    })
    await cores?.release()
    const where = cores === null ? '' : ', the proxy on a core of its own'
    const description = `${load.description} against ${upstream.description}${where}`
    return { load: description, groups: [{ name: 'all', metrics, samples }] }
  },
}

const metrics = [
  { name: 'perSecond', label: 'requests/s', digits: 0, compared: true },
  { name: 'p50Micros', label: 'p50 µs', digits: 0 },
  { name: 'p99Micros', label: 'p99 µs', digits: 0 },
  { name: 'cpuMicrosEach', label: 'CPU µs/request', digits: 2, compared: true },
]
