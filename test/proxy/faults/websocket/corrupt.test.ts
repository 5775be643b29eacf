import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { acts, directions } from '../../../support/stream-faults.ts'
import { decode, encode, fragmented, frame } from '../../../support/websocket-frames.ts'
import { startRawWebSockets, startWebSockets } from '../../../support/websocket-proxied.ts'

function flippedBits(one: Buffer, other: Buffer): number {
  let bits = 0
  for (let index = 0; index < one.length; index++) {
    for (let byte = one[index]! ^ other[index]!; byte > 0; byte >>= 1) bits += byte & 1
  }
  return bits
}

describe.each(directions)('websocket_corrupt %s', (direction) => {
  const corrupt = (rate: number, more: Partial<FaultSpec> = {}): FaultSpec => ({
    type: 'websocket_corrupt',
    direction,
    attributes: { rate },
    match: { opcode: 'binary' },
    ...more,
  })

  test.concurrent('flips bits in the share of bytes that rate says, and the messages are still messages', async () => {
    await using sockets = await startWebSockets([corrupt(0.01)])
    const { sender, receiver } = await sockets.connect({ direction })
    const received: Buffer[] = []
    receiver.socket.on('message', (data: Buffer) => received.push(data))
    const sent = Buffer.alloc(200_000, 0x55)
    sender.send(sent, 'text passes', sent)
    await receiver.until(3)
    expect(received[1]!.toString()).toBe('text passes')
    const flips = [received[0]!, received[2]!].map((data) => flippedBits(data, sent))
    for (const bits of flips) {
      // 2000 expected, with a deviation of 45; one bit in each byte that is hit.
      expect(bits).toBeGreaterThan(1800)
      expect(bits).toBeLessThan(2200)
    }
    expect(received[0]!.equals(received[2]!)).toBe(false)
    expect(acts(sockets.network)).toEqual(
      flips.map((bits, index) => ({
        action: 'corrupt',
        detail: { flippedBits: bits, opcode: 'binary', message: 2 * index + 1, bytes: 200_000, path: '/chat' },
      })),
    )
  })

  test.concurrent('hits at least one bit of each message, and none at rate 0 or in empty ones', async () => {
    await using sockets = await startWebSockets([corrupt(0.0001, { name: 'some' }), corrupt(0, { name: 'none' })])
    const { sender, receiver } = await sockets.connect({ direction })
    const received: Buffer[] = []
    receiver.socket.on('message', (data: Buffer) => received.push(data))
    const sent = Buffer.from('twenty bytes of data')
    for (let index = 0; index < 50; index++) sender.send(sent)
    sender.send(Buffer.alloc(0))
    await receiver.until(51)
    for (const data of received.slice(0, 50)) expect(flippedBits(data, sent)).toBeGreaterThanOrEqual(1)
    // Not always the same one: 160 bits, of which 50 are drawn.
    expect(new Set(received.map((data) => data.toString('hex'))).size).toBeGreaterThan(30)
    expect(sockets.network.injections.entries({ fault: 'some' })).toHaveLength(50)
    expect(sockets.network.injections.entries({ fault: 'none' })).toHaveLength(0)
  })

  test.concurrent('hits every byte once at rate 1, in all frames, and their masks and headers stay right', async () => {
    await using sockets = await startRawWebSockets([corrupt(1)])
    const { sender, receiver } = await sockets.connect(direction)
    const [first, last] = fragmented('binary', 'a'.repeat(300), 'b'.repeat(100))
    const frames = [first!, frame('ping', 'ping'), last!, frame('text', 'text')]
    const sent = encode(direction, ...frames)
    sender.socket.write(sent)
    const out = decode(direction, await receiver.until(sent.length))
    expect(out.map(({ opcode, final, payload }) => [opcode, final, payload.length])).toEqual(
      frames.map(({ opcode, final, payload }) => [opcode, final, payload.length]),
    )
    expect(out.map(({ payload }, index) => flippedBits(payload, frames[index]!.payload))).toEqual([300, 0, 100, 0])
  })

  test.concurrent('makes a receiver refuse text that is none any more', async () => {
    await using sockets = await startWebSockets([corrupt(1, { match: {} })])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('plain letters, of which some become no UTF-8')
    await sender.untilClosed()
    expect(receiver.error).toMatch(/UTF-8/)
  })

  test.concurrent('takes another rate live', async () => {
    await using sockets = await startWebSockets([corrupt(0, { name: 'noise' })])
    const { sender, receiver } = await sockets.connect({ direction })
    const received: Buffer[] = []
    receiver.socket.on('message', (data: Buffer) => received.push(data))
    const sent = Buffer.alloc(100)
    for (const rate of [1, 0]) {
      sender.send(sent)
      await receiver.until(received.length + 1)
      sockets.proxy.updateFault('noise', { attributes: { rate } })
    }
    sender.send(sent)
    await receiver.until(3)
    expect(received.map((data) => flippedBits(data, sent))).toEqual([0, 100, 0])
  })
})

test.each([-0.1, 1.1, 'all'])('a rate of %s is refused', async (rate) => {
  await using sockets = await startWebSockets()
  expect(() => sockets.proxy.addFault({ type: 'websocket_corrupt', attributes: { rate } })).toThrow(
    expect.objectContaining({ field: 'attributes.rate', expected: 'a number from 0 to 1' }),
  )
})
