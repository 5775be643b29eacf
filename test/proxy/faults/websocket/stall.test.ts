import { describe, expect, test } from 'vitest'
import { ManualClock, type FaultSpec } from '../../../../proxy/index.ts'
import { acts, directions, heldBytes, observe, untilInjection, untilTrue } from '../../../support/stream-faults.ts'
import { startWebSockets } from '../../../support/websocket-proxied.ts'

describe.each(directions)('websocket_stall %s', (direction) => {
  const stall = (attributes: Record<string, unknown> = {}, more: Partial<FaultSpec> = {}): FaultSpec => ({
    type: 'websocket_stall',
    name: 'stalled',
    direction,
    attributes,
    ...more,
  })

  test.concurrent('keeps everything from the first message that matches on, until removed: nothing is lost', async () => {
    await using sockets = await startWebSockets([stall({}, { match: { text: 'stop' } })])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('before')
    await receiver.until(1)
    sender.send('stop', Buffer.from('binary'))
    sender.socket.ping('p')
    sender.sendFragmented('a', 'b')
    sender.send('stop again')
    await untilInjection(sockets.network, { action: 'stall' })
    // The other direction goes on.
    receiver.send('back')
    await sender.until(1)
    await observe(50)
    expect(receiver.seen).toEqual(['before'])
    sender.socket.close(1000, 'done')
    sockets.proxy.removeFault('stalled')
    expect(await receiver.untilClosed()).toEqual({ code: 1000, reason: 'done' })
    expect(receiver.seen).toEqual(['before', 'stop', 'binary', 'ping p', 'ping between 0', 'ab', 'stop again'])
    expect(acts(sockets.network)).toEqual([
      { action: 'stall', detail: { opcode: 'text', message: 2, bytes: 4, path: '/chat' } },
    ])
  })

  test.concurrent('goes on by itself after its duration, counted from that message, and does not stall again', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([stall({ durationMs: 5000 })], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('1')
    await untilInjection(sockets.network, { action: 'stall' })
    clock.advance(4000)
    const heldBefore = heldBytes(sockets.proxy)
    sender.send('2')
    await untilTrue(() => heldBytes(sockets.proxy) > heldBefore, 'the second message to be held')
    clock.advance(999)
    expect(receiver.seen).toEqual([])
    clock.advance(1)
    await receiver.until(2)
    sender.send('3')
    await receiver.until(3)
    expect(receiver.seen).toEqual(['1', '2', '3'])
    expect(acts(sockets.network)).toHaveLength(1)
    expect([heldBytes(sockets.proxy), clock.pendingTimers]).toEqual([0, 0])
  })

  test.concurrent('takes a changed duration live', async () => {
    const clock = new ManualClock()
    await using sockets = await startWebSockets([stall()], { clock })
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('1')
    await untilInjection(sockets.network, { action: 'stall' })
    clock.advance(1000)
    sockets.proxy.updateFault('stalled', { attributes: { durationMs: 1001 } })
    expect(receiver.seen).toEqual([])
    clock.advance(1)
    await receiver.until(1)
  })

  test.concurrent('added to a live connection stalls the next message', async () => {
    await using sockets = await startWebSockets()
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('1')
    await receiver.until(1)
    sockets.proxy.addFault(stall())
    sender.send('2')
    await untilInjection(sockets.network, { action: 'stall' })
    sockets.proxy.removeFault('stalled')
    sockets.proxy.addFault(stall({}, { skip: 1 }))
    sender.send('3', '4')
    await receiver.until(3)
    await untilInjection(sockets.network, { action: 'stall', sequence: 2 })
    expect(receiver.seen).toEqual(['1', '2', '3'])
  })

  test.concurrent('acts on each connection once, so often as times says', async () => {
    await using sockets = await startWebSockets([stall({}, { times: 2 })])
    const pairs = []
    for (let index = 0; index < 3; index++) {
      const pair = await sockets.connect({ direction })
      pair.sender.send('x', 'y')
      pairs.push(pair)
      if (index < 2) await untilInjection(sockets.network, { connection: index + 1 })
    }
    await pairs[2]!.receiver.until(2)
    expect(pairs.map(({ receiver }) => receiver.seen.length)).toEqual([0, 0, 2])
  })

  test('slows the sender down when it holds as much as it may; then everything arrives', async () => {
    const maxHeldBytes = 1_000_000
    await using sockets = await startWebSockets([stall()], { maxHeldBytes })
    const { sender, receiver } = await sockets.connect({ direction })
    const { traffic, counters } = sockets.proxy
    const piece = Buffer.alloc(64_000, 7)
    // Far more than what the kernel's buffers between the ends take.
    const count = 500
    for (let index = 0; index < count; index++) sender.send(piece)
    await untilTrue(() => counters.heldLimitsReached === 1, 'the limit to be reached')
    const receivedBytes = traffic[direction].receivedBytes
    await observe(100)
    expect(traffic[direction].receivedBytes).toBe(receivedBytes)
    // One read of 256 KiB more than the limit at most, with what is counted for each of its pieces.
    expect(heldBytes(sockets.proxy)).toBeLessThan(maxHeldBytes + 270_000)
    expect(sender.socket.bufferedAmount).toBeGreaterThan(1_000_000)
    sockets.proxy.removeFault('stalled')
    await untilTrue(() => receiver.receivedBytes === count * piece.length, 'all messages')
    expect(receiver.seen).toHaveLength(count)
    expect(heldBytes(sockets.proxy)).toBe(0)
  })
})
