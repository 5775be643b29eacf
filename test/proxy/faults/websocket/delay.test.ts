import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ManualClock, type FaultSpec } from '../../../../proxy/index.ts'
import {
  acts,
  directions,
  expectDelay,
  heldBytes,
  SLACK_MS,
  untilInjection,
  untilTrue,
} from '../../../support/stream-faults.ts'
import { startWebSockets } from '../../../support/websocket-proxied.ts'

describe.each(directions)('websocket_delay %s', (direction) => {
  const delay = (delayMs: number, more: Partial<FaultSpec> = {}, jitterMs = 0): FaultSpec => ({
    type: 'websocket_delay',
    name: 'slow',
    direction,
    attributes: { delayMs, jitterMs },
    ...more,
  })

  test.concurrent('delays each message by its own time: many are on their way at once', async () => {
    await using sockets = await startWebSockets([delay(200)])
    const { sender, receiver } = await sockets.connect({ direction })
    const sentMs = performance.now()
    const messages = Array.from({ length: 50 }, (_, index) => `m${index}`)
    sender.send(...messages)
    await receiver.until(50)
    expect(receiver.seen).toEqual(messages)
    expectDelay(receiver.seenAtMs[0]! - sentMs, 200)
    // One after the other they would take 10 seconds.
    expect(receiver.seenAtMs[49]! - sentMs).toBeLessThan(200 + SLACK_MS)
  })

  test.concurrent('leaves the other direction alone', async () => {
    await using sockets = await startWebSockets([delay(60_000)])
    const { sender, receiver } = await sockets.connect({ direction })
    receiver.send('back')
    await sender.until(1)
    expect(sender.seen).toEqual(['back'])
  })

  test.concurrent('is due to the millisecond, puts each message on record, and lets nothing overtake', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([delay(100)], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('first')
    await untilInjection(sockets.network, { sequence: 1 })
    clock.advance(60)
    sender.send('second')
    await untilInjection(sockets.network, { sequence: 2 })
    // Not delayed by itself, but behind.
    const heldBefore = heldBytes(sockets.proxy)
    sender.socket.ping('p')
    sender.socket.close(4001, 'bye')
    // A ping is held like a chunk of its own, and so is the Close.
    await untilTrue(() => heldBytes(sockets.proxy) > heldBefore + 2, 'ping and Close to be held')
    clock.advance(39)
    expect(receiver.seen).toEqual([])
    clock.advance(1)
    await receiver.until(1)
    clock.advance(59)
    expect(receiver.seen).toEqual(['first'])
    expect(receiver.closed).toBeUndefined()
    clock.advance(1)
    expect(await receiver.untilClosed()).toEqual({ code: 4001, reason: 'bye' })
    expect(receiver.seen).toEqual(['first', 'second', 'ping p'])
    expect(acts(sockets.network)).toEqual([
      { action: 'delay', detail: { delayMs: 100, opcode: 'text', message: 1, bytes: 5, path: '/chat' } },
      { action: 'delay', detail: { delayMs: 100, opcode: 'text', message: 2, bytes: 6, path: '/chat' } },
    ])
  })

  test.concurrent('acts on control frames if asked to', async () => {
    await using sockets = await startWebSockets([delay(60_000, { match: { opcode: ['ping', 'pong'] } })])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('passes')
    sender.socket.ping('waits')
    await receiver.until(1)
    await untilInjection(sockets.network, { action: 'delay' })
    expect(receiver.seen).toEqual(['passes'])
  })

  test.concurrent('with jitter draws from the seed by message, within bounds, and keeps the order', async () => {
    const jittery = delay(20, {}, 15)
    const run = async (): Promise<unknown[]> => {
      await using sockets = await startWebSockets([jittery])
      const { sender, receiver } = await sockets.connect({ direction })
      const messages = Array.from({ length: 40 }, (_, index) => `m${index}`)
      sender.send(...messages)
      await receiver.until(40)
      expect(receiver.seen).toEqual(messages)
      return acts(sockets.network).map(({ detail }) => detail['delayMs'])
    }
    const delays = await run()
    expect(delays).toHaveLength(40)
    for (const delayMs of delays) expect(delayMs).toSatisfy((value: number) => value >= 5 && value <= 35)
    // 40 draws out of 31 values: by chance alone at least 10 are different.
    expect(new Set(delays).size).toBeGreaterThan(10)
    expect(await run()).toEqual(delays)
  })

  test.concurrent('added, changed and removed on a live connection', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('free')
    await receiver.until(1)
    sockets.proxy.addFault(delay(1000))
    sender.send('slow')
    await untilInjection(sockets.network, { sequence: 1 })
    sockets.proxy.updateFault('slow', { attributes: { delayMs: 10 } })
    // Counted from its arrival: the shorter delay also holds for what is on its way.
    clock.advance(10)
    await receiver.until(2)
    sockets.proxy.updateFault('slow', { attributes: { delayMs: 60_000 } })
    sender.send('held')
    await untilInjection(sockets.network, { sequence: 2 })
    expect(receiver.seen).toHaveLength(2)
    sockets.proxy.removeFault('slow')
    await receiver.until(3)
    sender.send('free again')
    await receiver.until(4)
    expect(receiver.seen).toEqual(['free', 'slow', 'held', 'free again'])
    expect([heldBytes(sockets.proxy), clock.pendingTimers]).toEqual([0, 0])
  })

  test.concurrent('adds up with a second one', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([delay(100), { ...delay(50), name: 'slower' }], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('x')
    await untilInjection(sockets.network, { fault: 'slow' })
    clock.advance(100)
    await untilInjection(sockets.network, { fault: 'slower' })
    clock.advance(49)
    expect(receiver.seen).toEqual([])
    clock.advance(1)
    await receiver.until(1)
  })

  test.concurrent('delays all frames of a message, and what is between them waits in its place', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([delay(100)], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    const traffic = sockets.proxy.traffic[direction]
    // Three frames of 1 byte and two of 9, each with its header, and its mask in direction upstream.
    const bytesAfter = traffic.receivedBytes + 3 * 1 + 2 * 9 + 5 * (direction === 'upstream' ? 6 : 2)
    sender.sendFragmented('a', 'b', 'c')
    await untilTrue(() => traffic.receivedBytes === bytesAfter, 'all frames')
    clock.advance(99)
    expect(receiver.seen).toEqual([])
    clock.advance(100)
    await receiver.until(3)
    expect(receiver.seen).toEqual(['ping between 0', 'ping between 1', 'abc'])
    expect(acts(sockets.network)).toHaveLength(1)
  })

  test('a message larger than what may be held goes on in pieces, each with its delay, in bounded memory', async () => {
    const maxHeldBytes = 1_000_000
    await using sockets = await startWebSockets([delay(10)], { maxHeldBytes })
    const { sender, receiver } = await sockets.connect({ direction })
    const large = randomBytes(16 * 1024 * 1024)
    let received: Buffer | undefined
    receiver.socket.on('message', (data: Buffer) => (received = data))
    let mostHeldBytes = 0
    const watch = setInterval(() => (mostHeldBytes = Math.max(mostHeldBytes, heldBytes(sockets.proxy))), 1)
    sender.send(large)
    await untilTrue(() => received !== undefined, 'the message')
    clearInterval(watch)
    expect(received!.equals(large)).toBe(true)
    expect(mostHeldBytes).toBeGreaterThan(0)
    // One read of 256 KiB more than the limit at most, with what is counted for each of its pieces.
    expect(mostHeldBytes).toBeLessThan(maxHeldBytes + 270_000)
    expect(acts(sockets.network)).toHaveLength(1)
  })

  test.concurrent('spreads delays as its distribution says', async () => {
    const clock = new ManualClock()
    const attributes = { delayMs: 100, distribution: 'pareto', shape: 2 }
    await using sockets = await startWebSockets([delay(0, { attributes })], { clock })
    const { sender } = await sockets.connect({ direction })
    sender.send(...Array.from({ length: 100 }, (_, index) => String(index)))
    await untilInjection(sockets.network, { sequence: 100 })
    const delays = acts(sockets.network).map(({ detail }) => Number(detail['delayMs']))
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(100)
    // One in four is expected above twice the least; the seed is fixed.
    expect(delays.filter((delayMs) => delayMs > 200).length).toBeGreaterThan(10)
  })
})

test.each([
  [{}, 'attributes.delayMs'],
  [{ delayMs: -1 }, 'attributes.delayMs'],
  [{ delayMs: 1, jitterMs: 1, distribution: 'pareto' }, 'attributes.jitterMs'],
])('what can not work is refused, naming the field: %j', async (attributes, field) => {
  await using sockets = await startWebSockets()
  expect(() => sockets.proxy.addFault({ type: 'websocket_delay', attributes })).toThrow(
    expect.objectContaining({ field }),
  )
})
