// Bandwidth that connections share, and bursts: on the wire, and on the fake clock where it must hold to the byte.
import { describe, expect, test } from 'vitest'
import { bandwidth, type BandwidthAttributes } from '../../../proxy/faults/bandwidth.ts'
import type { Direction, Stage } from '../../../proxy/faults/fault.ts'
import { ManualClock } from '../../../proxy/index.ts'
import { Random } from '../../../proxy/random.ts'
import { startProxied } from '../../support/proxied.ts'
import {
  connectEnds,
  directions,
  expectDelay,
  expectPattern,
  heldBytes,
  pattern,
  untilTrue,
} from '../../support/stream-faults.ts'

/** Largest piece of a line of up to 292 KB/s. */
const PACKET_BYTES = 1460

/** One of several stages on one clock: what a fault is on one of several connections. */
class Connection {
  readonly stage: Stage<BandwidthAttributes>
  passedBytes = 0
  ended = false

  constructor(clock: ManualClock, attributes: BandwidthAttributes, direction: Direction = 'downstream') {
    this.stage = bandwidth.create(attributes, {
      clock,
      random: new Random(1),
      maxHeldBytes: 2 ** 24,
      direction,
      faultDirection: 'both',
      untouched: true,
      dialMs: 1,
      shared: (make) => make(),
      record: () => {},
      released: () => {},
      limitReached: () => {},
    })
    this.stage.next = {
      write: (chunk) => void (this.passedBytes += chunk.length),
      end: () => void (this.ended = true),
      close: () => {},
      reset: () => {},
    }
    this.stage.start()
  }

  /** Sends so many bytes, in chunks of a size. */
  send(bytes: number, chunkBytes = bytes): void {
    for (let at = 0; at < bytes; at += chunkBytes) this.stage.write(Buffer.alloc(Math.min(chunkBytes, bytes - at)))
  }
}

function connect(count: number, attributes: BandwidthAttributes) {
  const clock = new ManualClock()
  const connections = Array.from({ length: count }, () => new Connection(clock, attributes))
  const passed = (): number[] => connections.map(({ passedBytes }) => passedBytes)
  return { clock, connections, passed, total: () => passed().reduce((sum, bytes) => sum + bytes, 0) }
}

const shared = (rate: number, burst?: number): BandwidthAttributes =>
  burst === undefined ? { rate, scope: 'proxy' } : { rate, scope: 'proxy', burst }

describe.each(directions)('bandwidth of a proxy, %s', (direction) => {
  const line = (rate: number) => ({ type: 'bandwidth', name: 'b', direction, attributes: { rate, scope: 'proxy' } })

  test.concurrent('is shared by its connections, half for each of two', async () => {
    await using proxied = await startProxied([line(100)])
    const [one, other] = [await connectEnds(proxied, direction), await connectEnds(proxied, direction)]
    const sentMs = performance.now()
    one.sender.end(pattern(0, 30_000))
    other.sender.end(pattern(0, 30_000))
    await one.receiver.untilEnded()
    // A line for each would be ready after 300 ms.
    expectDelay(performance.now() - sentMs, 600 - (2 * PACKET_BYTES) / 100)
    await other.receiver.untilEnded()
    expectDelay(performance.now() - sentMs, 600)
    for (const { receiver } of [one, other]) expectPattern(receiver, 30_000)
  })

  test.concurrent('is given to those who remain when a connection breaks or the rate changes', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([line(1)], { clock })
    const [one, other] = [await connectEnds(proxied, direction), await connectEnds(proxied, direction)]
    one.sender.write(pattern(0, 10_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= 10_000, 'the bytes of one')
    other.sender.end(pattern(0, 10_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= 20_000, 'the bytes of both')
    one.receiver.reset()
    await untilTrue(() => proxied.proxy.connections.size === 1, 'the end of one')
    proxied.proxy.updateFault('b', { attributes: { rate: 10 } })
    clock.advance(999)
    expect(heldBytes(proxied.proxy)).toBeGreaterThan(0)
    clock.advance(1)
    expect(await other.receiver.untilEnded()).toBe('FIN')
    expectPattern(other.receiver, 10_000)
  })

  test.concurrent('stays one line for all when more connections get the fault', async () => {
    const clock = new ManualClock()
    await using proxied = await startProxied([{ ...line(10), probability: 0.5 }], { clock })
    const all = []
    for (let index = 0; index < 8; index++) all.push(await connectEnds(proxied, direction))
    proxied.proxy.updateFault('b', { probability: 1 })
    for (const { sender } of all) sender.end(pattern(0, 10_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= 80_000, 'the bytes of all')
    clock.advance(8000 - 1)
    expect(heldBytes(proxied.proxy)).toBeGreaterThan(0)
    clock.advance(1)
    expect(heldBytes(proxied.proxy)).toBe(0)
    for (const { receiver } of all) await receiver.untilEnded()
  })

  test.concurrent('lets everything go at once when removed', async () => {
    await using proxied = await startProxied([line(1)])
    const all = [await connectEnds(proxied, direction), await connectEnds(proxied, direction)]
    for (const { sender } of all) sender.end(pattern(0, 300_000))
    await untilTrue(() => heldBytes(proxied.proxy) >= 2 * 65_536, 'two full queues')
    proxied.proxy.removeFault('b')
    for (const { receiver } of all) {
      // Within the 5 seconds that the wait allows, where it would have been ten minutes.
      expect(await receiver.untilEnded()).toBe('FIN')
      expectPattern(receiver, 300_000)
    }
  })
})

describe('bandwidth of a proxy, to the byte', () => {
  test('is the rate in all, in equal shares whatever the size of the chunks', () => {
    const { clock, connections, passed, total } = connect(3, shared(100))
    connections[0]?.send(100_000)
    connections[1]?.send(100_000, 100)
    connections[2]?.send(100_000, 1000)
    clock.advance(1000)
    expect(total()).toBeGreaterThan(100_000 - PACKET_BYTES)
    expect(total()).toBeLessThanOrEqual(100_000 + 50) // by the half of a millisecond that a timer may be early
    expect(Math.max(...passed()) - Math.min(...passed())).toBeLessThanOrEqual(2 * PACKET_BYTES)
  })

  test('is all for one as long as no other sends, and who comes later gets no more than its share', () => {
    const { clock, connections, passed } = connect(2, shared(100))
    connections[0]?.send(200_000)
    clock.advance(1000)
    expect(passed()[0]).toBeGreaterThan(100_000 - PACKET_BYTES)
    connections[1]?.send(200_000)
    const before = passed()[0] ?? NaN
    clock.advance(1000)
    expect(Math.abs((passed()[0] ?? NaN) - before - 50_000)).toBeLessThanOrEqual(2 * PACKET_BYTES)
    expect(Math.abs((passed()[1] ?? NaN) - 50_000)).toBeLessThanOrEqual(2 * PACKET_BYTES)
  })

  test('passes every byte and every end on, and leaves no timer', () => {
    const { clock, connections, passed } = connect(5, shared(50))
    for (const [index, connection] of connections.entries()) {
      connection.send(1000 * (index + 1), 333)
      connection.stage.end()
    }
    clock.advance(300 - 1)
    expect(connections.every(({ ended }) => ended)).toBe(false)
    clock.advance(1)
    expect(passed()).toEqual([1000, 2000, 3000, 4000, 5000])
    expect(connections.every(({ ended }) => ended)).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('goes round thousands of connections in one turn', () => {
    const { clock, connections, total } = connect(5000, shared(0))
    for (const connection of connections) connection.send(10)
    const fast = shared(2 ** 40)
    for (const { stage } of connections) stage.update(fast)
    clock.advance(1)
    expect(total()).toBe(50_000)
  })

  test('is separate for each direction, and for each fault', () => {
    const clock = new ManualClock()
    const attributes = shared(100)
    const all = [
      new Connection(clock, attributes, 'upstream'),
      new Connection(clock, attributes, 'downstream'),
      new Connection(clock, shared(100), 'downstream'),
    ]
    for (const connection of all) connection.send(10_000)
    clock.advance(100)
    expect(all.map(({ passedBytes }) => passedBytes)).toEqual([10_000, 10_000, 10_000])
  })

  test('becomes one of each connection and back again live', () => {
    const { clock, connections, total } = connect(2, shared(100))
    for (const connection of connections) connection.send(1_000_000)
    const totalAfter = (attributes: BandwidthAttributes): number => {
      for (const { stage } of connections) stage.update(attributes)
      const before = total()
      clock.advance(1000)
      return total() - before
    }
    // Up to a piece of each line was under way at a change.
    expect(Math.abs(totalAfter(shared(100)) - 100_000)).toBeLessThanOrEqual(2 * PACKET_BYTES)
    expect(Math.abs(totalAfter({ rate: 100 }) - 200_000)).toBeLessThanOrEqual(2 * PACKET_BYTES)
    expect(Math.abs(totalAfter(shared(100)) - 100_000)).toBeLessThanOrEqual(2 * PACKET_BYTES)
  })

  test('goes to the next when a connection is gone in the middle of its piece', () => {
    const { clock, connections, passed } = connect(2, shared(10))
    for (const connection of connections) connection.send(1000)
    clock.advance(50)
    connections[0]?.stage.dispose()
    clock.advance(100)
    expect(passed()).toEqual([0, 1000])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe.each(['connection', 'proxy'] as const)('bandwidth with a burst (%s)', (scope) => {
  // Attributes of its own for each test, as lines are shared by who has the same ones.
  const bursting = (): BandwidthAttributes => ({ rate: 10, burst: 5000, scope })

  test('passes that much at once after a pause, then the rate', () => {
    const { clock, connections, total } = connect(1, bursting())
    connections[0]?.send(8000, 100)
    expect(total()).toBe(5000)
    clock.advance(300 - 1)
    expect(total()).toBeLessThan(8000)
    clock.advance(1)
    expect(total()).toBe(8000)
  })

  test('saves up as fast as the rate, and no more than that', () => {
    const { clock, connections, total } = connect(1, bursting())
    connections[0]?.send(5000, 100)
    clock.advance(200)
    connections[0]?.send(5000, 100)
    expect(total()).toBe(7000)
    clock.advance(300)
    expect(total()).toBe(10_000)
    clock.advance(3_600_000)
    connections[0]?.send(10_000, 100)
    expect(total()).toBe(15_000)
  })

  test('has none left after a change', () => {
    const { connections, total } = connect(1, bursting())
    connections[0]?.stage.update(bursting())
    connections[0]?.send(1000)
    expect(total()).toBe(0)
  })
})

async function attributesOf(attributes: Record<string, unknown>): Promise<unknown> {
  await using proxied = await startProxied([{ type: 'bandwidth', attributes }])
  return [...proxied.proxy.faults][0]?.attributes
}

test('bandwidth shows scope and burst only where they were given', async () => {
  expect(await attributesOf({ rate: 1 })).toEqual({ rate: 1 })
  expect(await attributesOf({ rate: 1, scope: 'proxy', burst: 9 })).toEqual({ rate: 1, scope: 'proxy', burst: 9 })
  await expect(attributesOf({ scope: 'network' })).rejects.toThrow('attributes.scope')
  await expect(attributesOf({ burst: -1 })).rejects.toThrow('attributes.burst')
})
