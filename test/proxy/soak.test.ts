// Many connections come and go while faults are toggled at random: afterwards nothing is left of them.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import net from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Network, type FaultProxy, type FaultSpec } from '../../proxy/index.ts'
import { Random } from '../../proxy/random.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer } from '../support/sockets.ts'

const SECONDS = process.env['FAULTLINE_LONG'] ? 60 : 6
const CONNECTIONS_PER_SECOND = 200
const MB = 1024 * 1024

const choices: readonly FaultSpec[] = [
  { type: 'latency', attributes: { latency: 20, jitter: 20 } },
  { type: 'bandwidth', attributes: { rate: 500 } },
  { type: 'slow_close', attributes: { delay: 30 } },
  { type: 'timeout', attributes: { timeout: 40 } },
  { type: 'timeout', attributes: { timeout: 0 } },
  { type: 'reset_peer', attributes: { timeout: 30 } },
  { type: 'slicer', attributes: { average_size: 50, size_variation: 20, delay: 100 } },
  { type: 'limit_data', attributes: { bytes: 500 } },
  { type: 'noop' },
  { type: 'blackhole' },
  { type: 'half_open', direction: 'both' },
  { type: 'stall', attributes: { durationMs: 30 } },
  { type: 'corrupt', attributes: { rate: 0.01 } },
  { type: 'packet_loss', attributes: { loss: 0.1, rtt: 5, rtoMin: 10 } },
  { type: 'bandwidth', attributes: { rate: 500, scope: 'proxy', burst: 1000 } },
  { type: 'latency', attributes: { latency: 5, jitter: 5, distribution: 'normal', correlation: 0.5 } },
  { type: 'hang_on_accept', direction: 'both' },
  { type: 'connect_delay', direction: 'both', attributes: { delayMs: 20 } },
  { type: 'max_lifetime', direction: 'both', attributes: { lifetimeMs: 40 } },
]

const warnings: Error[] = []
const keepWarning = (warning: Error): void => void warnings.push(warning)
beforeEach(() => void process.on('warning', keepWarning))
afterEach(() => void process.off('warning', keepWarning))

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Sockets and timers that keep this process alive. */
function activeHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name.startsWith('TCP')).length
}

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test(
  `${CONNECTIONS_PER_SECOND} connections a second for ${SECONDS} s under changing faults leave nothing behind`,
  { timeout: (SECONDS + 60) * 1000 },
  async () => {
    await using echo = await RawServer.echo()
    await using network = new Network({ seed: 3, injectionLogEntries: 100 })
    const proxy = await network.createProxy({ name: 'p', upstream: echo.address })
    const random = new Random('soak')
    await churn(proxy, random, 2) // fills caches and pools
    await settle(proxy)
    await pause(1000)
    echo.sockets.length = 0
    const handlesBefore = activeHandles()
    const heapBefore = heapBytes()
    await churn(proxy, random, SECONDS)
    await settle(proxy)
    echo.sockets.length = 0
    expect(proxy.counters.acceptedConnections).toBeGreaterThan(CONNECTIONS_PER_SECOND * SECONDS * 0.5)
    expect(network.injections.total).toBeGreaterThan(100)
    // The test's own clients and their timers live up to 600 ms longer. Not by expect.poll: its timer would count.
    for (let tries = 0; tries < 100 && activeHandles() > handlesBefore; tries++) await pause(50)
    expect(activeHandles()).toBeLessThanOrEqual(handlesBefore)
    // A leak of 2 KB a connection would be 2.4 MB in the short run, in which compiled code counts for up to 1 MB, and 24
    // MB in the long one.
    expect((heapBytes() - heapBefore) / MB).toBeLessThan(SECONDS > 10 ? 4 : 2)
    expect(warnings.map(({ message }) => message)).toEqual([])
  },
)

/** Opens connections at a steady rate; each sends a little, reads a little and ends in one of several ways. */
async function churn(proxy: FaultProxy, random: Random, seconds: number): Promise<void> {
  const port = portOf(proxy)
  const startMs = performance.now()
  for (let opened = 0; opened < seconds * CONNECTIONS_PER_SECOND; opened++) {
    if (opened % 10 === 0) toggle(proxy, random)
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: random.next() < 0.5 })
    socket.on('error', () => {})
    socket.write(Buffer.alloc(Math.floor(random.next() * 3000)))
    const ending = Math.floor(random.next() * 4)
    const lifeMs = random.next() * 100
    setTimeout(() => {
      if (ending === 0) socket.resetAndDestroy()
      else if (ending === 1) socket.destroy()
      else if (ending === 2) socket.end()
      else socket.pause() // neither reads nor ends until settle() closes the proxy's side
      if (ending >= 2) setTimeout(() => socket.destroy(), 500)
    }, lifeMs)
    const dueMs = startMs + (opened * 1000) / CONNECTIONS_PER_SECOND
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs)) // the rate, not synchronisation
  }
}

function toggle(proxy: FaultProxy, random: Random): void {
  const present = [...proxy.faults]
  const victim = present[Math.floor(random.next() * present.length)]
  if (victim && (present.length > 3 || random.next() < 0.4)) return proxy.removeFault(victim.name)
  const choice = choices[Math.floor(random.next() * choices.length)]!
  const direction = choice.direction ?? (random.next() < 0.5 ? 'upstream' : 'downstream')
  const name = `${choice.type}_${direction}`
  if (proxy.fault(name)) proxy.updateFault(name, { probability: random.next(), attributes: choice.attributes ?? {} })
  else proxy.addFault({ ...choice, name, direction, probability: 0.3 + 0.7 * random.next() })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function settle(proxy: FaultProxy): Promise<void> {
  proxy.removeAllFaults()
  await expect.poll(() => proxy.connections.size, { timeout: 10_000 }).toBe(0)
}
