// How exact a latency toxic is: added delay against what was asked, at 1,000 messages a second on one connection.

import { startHelper } from '../children.mjs'
import { interleave } from '../rounds.mjs'
import { median, percentile } from '../statistics.mjs'
import { startStreamUpstream } from '../upstreams/stream-upstream.mjs'
import { startTargets } from './scenario.mjs'

const askedMs = 50
const intervalMs = 1
/** Sent first and not counted: client, echo server and proxy compile in that time. */
const uncountedMessages = 500

/** @type {import('./scenario.mjs').Scenario} */
export const latency = {
  name: 'latency',
  title: `Accuracy of a latency toxic of ${askedMs} ms downstream, 1,000 messages a second`,
  takes: (target) => target.injectsFaults,

  async run(context) {
    const { options, note, progress } = context
    const upstream = await startStreamUpstream()
    const running = await startTargets(context, { upstreamPort: upstream.port, maxConnections: 100 })
    const messages = uncountedMessages + (options.accuracySeconds * 1000) / intervalMs
    const samples = await interleave({
      targets: [...running.keys()],
      rounds: options.rounds,
      note,
      measure(name, round) {
        progress(`round ${round + 1}, ${name}`)
        return measureLatency(running.get(name), messages)
      },
    })
    return { load: 'the bench’s own echo client and server', groups: [{ name: 'all', metrics, samples }] }
  },
}

const metrics = [
  { name: 'medianErrorMs', label: 'median error ms', digits: 3 },
  { name: 'p99ErrorMs', label: 'p99 |error| ms', digits: 3 },
  { name: 'baselineMedianMs', label: 'baseline p50 ms', digits: 3 },
  { name: 'baselineP99Ms', label: 'baseline p99 ms', digits: 3 },
]

/** The baseline goes through the same proxy without the toxic, right before: what it takes is not the toxic's. */
async function measureLatency({ port, api }, messages) {
  const baseline = await roundTrips(port, messages)
  const baselineMedianMs = median(baseline)
  await api.addToxic({
    name: 'delay',
    type: 'latency',
    stream: 'downstream',
    attributes: { latency: askedMs, jitter: 0 },
  })
  try {
    const delayed = await roundTrips(port, messages)
    const errors = delayed.map((roundTripMs) => roundTripMs - askedMs - baselineMedianMs)
    return {
      medianErrorMs: median(errors),
      p99ErrorMs: percentile(errors.map(Math.abs), 99),
      baselineMedianMs,
      baselineP99Ms: percentile(baseline, 99),
    }
  } finally {
    await api.removeToxic('delay')
  }
}

async function roundTrips(port, messages) {
  const client = startHelper(new URL('../load/echo-client.mjs', import.meta.url))
  try {
    const all = await client.ask({ port, messages, intervalMs })
    return all.slice(uncountedMessages)
  } finally {
    await client.stop()
  }
}
