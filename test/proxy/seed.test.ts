// Promise 3 of the data plane: the same seed and the same client behaviour give the same faults.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ManualClock, type FaultSpec, type Injection } from '../../proxy/index.ts'
import { Random } from '../../proxy/random.ts'
import { startProxied, type Proxied } from '../support/proxied.ts'
import type { RawSocket } from '../support/sockets.ts'

const CONNECTIONS = 12
const BYTES = 200_000
const data = randomBytes(BYTES)

const faults: readonly FaultSpec[] = [
  { type: 'latency', direction: 'upstream', attributes: { latency: 50, jitter: 40 } },
  { type: 'slicer', probability: 0.5, attributes: { average_size: 5000, size_variation: 3000 } },
  { type: 'limit_data', name: 'cut', probability: 0.3, attributes: { bytes: 120_000 } },
]

interface Behaviour {
  readonly seed: number
  /** Sizes of the writes that the data is sent in; cut differently each time if random. */
  readonly chunkBytes: () => number
  /** The order in which connections send. */
  readonly order: (connections: number[]) => number[]
}

/** What the faults did, by connection, without when. */
async function injectionsOf({ seed, chunkBytes, order }: Behaviour): Promise<unknown[]> {
  // Time stands still: whether two chunks belong together must not depend on how fast this machine is.
  const clock = new ManualClock()
  await using proxied = await startProxied(faults, { seed, clock })
  const pairs = await connectMany(proxied, CONNECTIONS)
  const { traffic } = proxied.proxy
  const all = CONNECTIONS * BYTES
  for (const index of order(pairs.map((_, i) => i))) await sendInChunks(pairs[index]!.client, chunkBytes)
  await expect.poll(() => traffic.upstream.receivedBytes).toBe(all)
  // Only now, as the cut in this direction closes the connection, and what then still comes upstream is dropped.
  for (const index of order(pairs.map((_, i) => i))) await sendInChunks(pairs[index]!.server, chunkBytes)
  await expect.poll(() => traffic.downstream.receivedBytes).toBe(all)
  return proxied.network.injections.entries().map(withoutTime).toSorted(byConnection)
}

interface Pair {
  readonly client: RawSocket
  readonly server: RawSocket
}

async function connectMany(proxied: Proxied, count: number): Promise<Pair[]> {
  const pairs: Pair[] = []
  while (pairs.length < count) pairs.push(await proxied.connect())
  return pairs
}

async function sendInChunks({ socket }: RawSocket, chunkBytes: () => number): Promise<void> {
  for (let offset = 0; offset < BYTES;) {
    const end = offset + chunkBytes()
    socket.write(data.subarray(offset, end))
    offset = end
    await new Promise((resolve) => setImmediate(resolve)) // lets the other side read this chunk alone
  }
}

function withoutTime({ connection, direction, fault, type, action, detail }: Injection): object {
  return { connection, direction, fault, type, action, detail }
}

function byConnection(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

const whole = (): number => BYTES
const random = (): number => 1 + Math.floor(Math.random() * 30_000)
const inOrder = (connections: number[]): number[] => connections
const reversed = (connections: number[]): number[] => connections.toReversed()

describe('the same seed gives the same injections', () => {
  test('under different chunking and interleaving', async () => {
    const first = await injectionsOf({ seed: 7, chunkBytes: whole, order: inOrder })
    expect(first.length).toBeGreaterThan(CONNECTIONS)
    expect(await injectionsOf({ seed: 7, chunkBytes: random, order: inOrder })).toEqual(first)
    expect(await injectionsOf({ seed: 7, chunkBytes: random, order: reversed })).toEqual(first)
  })

  test('and another seed gives others', async () => {
    const first = await injectionsOf({ seed: 7, chunkBytes: whole, order: inOrder })
    expect(await injectionsOf({ seed: 8, chunkBytes: whole, order: inOrder })).not.toEqual(first)
  })
})

describe('the draw of a probability', () => {
  test('is made once for a connection: other faults, updates and coming back do not change it', async () => {
    await using proxied = await startProxied([
      { type: 'slicer', name: 's', probability: 0.5, attributes: { average_size: 10 } },
    ])
    const pairs = await connectMany(proxied, 40)
    const sliced = async (): Promise<number[]> => {
      const before = proxied.network.injections.total
      const expected = pairs[0]!.client.receivedBytes + 100
      for (const { server } of pairs) server.write(Buffer.alloc(100))
      await Promise.all(pairs.map(({ client }) => client.untilBytes(expected)))
      return [
        ...new Set(proxied.network.injections.entries({ since: before, fault: 's' }).map((i) => i.connection)),
      ].toSorted((a, b) => a - b)
    }
    const chosen = await sliced()
    expect(chosen.length).toBeGreaterThan(5)
    expect(chosen.length).toBeLessThan(35)
    proxied.proxy.addFault({ type: 'noop', probability: 0.5 })
    expect(await sliced()).toEqual(chosen)
    proxied.proxy.removeFault('noop_downstream')
    proxied.proxy.updateFault('s', { probability: 1 })
    expect(await sliced()).toHaveLength(40)
    proxied.proxy.updateFault('s', { probability: 0 })
    expect(await sliced()).toHaveLength(0)
    proxied.proxy.updateFault('s', { probability: 0.5 })
    expect(await sliced()).toEqual(chosen)
  })

  test('grows with the probability: whoever is chosen at 0.3 is chosen at 0.6', () => {
    // The draw is compared with the probability, so a larger one adds connections and takes none away.
    const draws = Array.from({ length: 1000 }, (_, connection) => new Random(1, 'p', connection, 'probability').next())
    expect(draws.filter((draw) => draw < 0.3).length).toBeGreaterThan(250)
    expect(draws.filter((draw) => draw < 0.3).length).toBeLessThan(350)
  })
})

describe('random numbers', () => {
  test('are uniform and independent enough: mean, variance and serial correlation of 100,000 draws', () => {
    for (const draw of [sequence(new Random('a')), positions(new Random('a')), keys()]) {
      const numbers = Array.from({ length: 100_000 }, draw)
      const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length
      const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length
      let serial = 0
      for (let i = 1; i < numbers.length; i++) serial += (numbers[i]! - mean) * (numbers[i - 1]! - mean)
      // Six standard errors: one in a billion by chance, and the draws are fixed by their keys anyway.
      expect(Math.abs(mean - 0.5)).toBeLessThan(6 * Math.sqrt(1 / 12 / 100_000))
      expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002)
      expect(Math.abs(serial / numbers.length / variance)).toBeLessThan(6 / Math.sqrt(100_000))
    }
  })

  test('of a key are the same for ever', () => {
    const random = new Random(7, 'p', 1, 'upstream', 'f')
    expect([random.next(), random.next(), random.at(0), random.at(2 ** 40)].map((x) => x.toFixed(9)))
      .toMatchInlineSnapshot(`
      [
        "0.211937627",
        "0.988916026",
        "0.140898965",
        "0.467290321",
      ]
    `)
  })
})

function sequence(random: Random): () => number {
  return () => random.next()
}

function positions(random: Random): () => number {
  let position = 0
  return () => random.at(position++)
}

function keys(): () => number {
  let connection = 0
  return () => new Random(1, 'proxy', connection++, 'upstream', 'fault').next()
}
