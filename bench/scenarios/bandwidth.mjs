// How exact a bandwidth toxic is: the rate that arrives against the rate that was asked for.

import { startHelper } from '../children.mjs'
import { interleave } from '../rounds.mjs'
import { startStreamUpstream } from '../upstreams/stream-upstream.mjs'
import { startTargets } from './scenario.mjs'

/** In the toxic's unit, KB/s of 1000 bytes. */
const ratesKilobytesPerSecond = [100, 10_000, 200_000]
const warmUpSeconds = 0.5

/** The group of a rate. */
export const bandwidthGroup = (rate) => (rate < 1000 ? `${rate} KB/s` : `${rate / 1000} MB/s`)

export const bandwidthGroups = ratesKilobytesPerSecond.map(bandwidthGroup)

/** @type {import('./scenario.mjs').Scenario} */
export const bandwidth = {
  name: 'bandwidth',
  title: 'Accuracy of a bandwidth toxic downstream',
  takes: (target) => target.injectsFaults,

  async run(context) {
    const { options, note, progress } = context
    const upstream = await startStreamUpstream()
    const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: 100 })
    const groups = []
    for (const rate of ratesKilobytesPerSecond) {
      const samples = await interleave({
        targets: [...running.keys()],
        rounds: options.rounds,
        note: (message) => note(`${bandwidthGroup(rate)}, ${message}`),
        measure(name, round) {
          progress(`${bandwidthGroup(rate)}, round ${round + 1}, ${name}`)
          return measureRate(running.get(name), rate, options.accuracySeconds)
        },
      })
      groups.push({ name: bandwidthGroup(rate), metrics, samples })
    }
    return { load: 'the bench’s own sender and receiver', groups }
  },
}

const metrics = [
  { name: 'kilobytesPerSecond', label: 'measured KB/s', digits: 1 },
  { name: 'ofAsked', label: 'measured / asked', digits: 4 },
]

async function measureRate({ port, api }, rate, seconds) {
  await api.addToxic({ name: 'rate', type: 'bandwidth', stream: 'downstream', attributes: { rate } })
  const client = startHelper(new URL('../load/stream-client.mjs', import.meta.url))
  try {
    const received = await client.ask({ type: 'download', port, seconds, warmUpSeconds })
    const kilobytesPerSecond = received.bytes / 1000 / received.seconds
    return { kilobytesPerSecond, ofAsked: kilobytesPerSecond / rate }
  } finally {
    await client.stop()
    await api.removeToxic('rate')
  }
}
