// What a connection costs that is open and does nothing: resident memory of the proxy's process.

import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { startHelper } from '../children.mjs'
import { residentKilobytes } from '../process-meter.mjs'
import { interleave } from '../rounds.mjs'
import { startStreamUpstream } from '../upstreams/stream-upstream.mjs'

/** Opened and closed first, so that the heap and the code which the first connections bring in are not billed. */
const warmUpShare = 0.1
const settleMs = 2000
/** For everything of a proxy's process that is not a connection. */
const spareFiles = 500

/** @type {import('./scenario.mjs').Scenario} */
export const idle = {
  name: 'idle',
  title: 'Memory of idle connections',
  takes: (target) => target.carries === 'tcp' && target.name !== 'direct',

  async run(context) {
    const { options, targets, note, progress } = context
    const count = affordable(options.idleConnections, note)
    const upstream = await startStreamUpstream()
    const byName = new Map(targets.map((target) => [target.name, target]))
    const samples = await interleave({
      targets: [...byName.keys()],
      rounds: options.rounds,
      note,
      measure(name, round) {
        progress(`round ${round + 1}, ${name}`)
        return measureIdle(byName.get(name), upstream, count)
      },
    })
    return {
      load: `${count} connections, each proven by one byte each way`,
      groups: [{ name: 'all', metrics, samples }],
    }
  },
}

const metrics = [
  { name: 'kilobytesPerConnection', label: 'KB/connection', digits: 2, compared: true },
  { name: 'beforeKilobytes', label: 'RSS before, KB', digits: 0 },
  { name: 'afterKilobytes', label: 'RSS after, KB', digits: 0 },
]

/** Every measurement has a fresh process: one that has held 5,000 connections before would take no new memory. */
async function measureIdle(target, upstream, count) {
  const warmUpConnections = Math.ceil(count * warmUpShare)
  const proxy = await target.start({ upstreamPort: upstream.port, maxConnections: count + warmUpConnections })
  const client = startHelper(new URL('../load/idle-client.mjs', import.meta.url))
  try {
    await client.ask({ type: 'open', port: proxy.port, count: warmUpConnections })
    await client.ask({ type: 'closeAll' })
    await untilClosed(upstream)
    await delay(settleMs)
    const beforeKilobytes = residentKilobytes(proxy.pid)
    await client.ask({ type: 'open', port: proxy.port, count })
    await delay(settleMs)
    const held = await upstream.ask({ type: 'countConnections' })
    if (held !== count) throw new Error(`the upstream holds ${held} connections, expected ${count}`)
    const afterKilobytes = residentKilobytes(proxy.pid)
    if (beforeKilobytes === null || afterKilobytes === null) throw new Error('memory can only be read on Linux')
    return { kilobytesPerConnection: (afterKilobytes - beforeKilobytes) / count, beforeKilobytes, afterKilobytes }
  } finally {
    await client.stop()
    await proxy.stop()
    await untilClosed(upstream)
  }
}

async function untilClosed(upstream) {
  for (let attempt = 0; attempt < 200; attempt++) {
    if ((await upstream.ask({ type: 'countConnections' })) === 0) return
    await delay(50)
  }
  throw new Error('connections were still open at the upstream 10 s after their clients closed them')
}

/** A proxied connection takes two file descriptors of the proxy. */
function affordable(wanted, note) {
  const limit = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim())
  // "unlimited" is not a number.
  if (Number.isNaN(limit)) return wanted
  const most = Math.floor((limit - spareFiles) / 2)
  if (most < 1) throw new Error(`the hard limit of ${limit} open files is too low for any idle connection`)
  if (wanted <= most) return wanted
  note(`${most} instead of ${wanted} connections: the hard limit of open files is ${limit}`)
  return most
}
