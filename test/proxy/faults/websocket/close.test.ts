import { once } from 'node:events'
import { WebSocket as UndiciWebSocket } from 'undici'
import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { portOf } from '../../../support/proxied.ts'
import { acts, directions, untilTrue } from '../../../support/stream-faults.ts'
import { decode, encode, fragmented, frame } from '../../../support/websocket-frames.ts'
import { startRawWebSockets, startWebSockets } from '../../../support/websocket-proxied.ts'

describe.each(directions)('websocket_close %s', (direction) => {
  const close = (attributes: Record<string, unknown> = {}, more: Partial<FaultSpec> = {}): FaultSpec => ({
    type: 'websocket_close',
    name: 'closer',
    direction,
    attributes,
    ...more,
  })

  test.concurrent('both ends see exactly its code and reason, in place of the message, and TCP ends in order', async () => {
    await using sockets = await startWebSockets([close({ code: 4321, reason: 'gone ü' }, { skip: 1 })])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('passes', 'is replaced', 'follows')
    sender.socket.ping('follows')
    expect(await receiver.untilClosed()).toEqual({ code: 4321, reason: 'gone ü' })
    // What the sender sees is the answer of the receiver, who has not been told otherwise.
    expect(await sender.untilClosed()).toEqual({ code: 4321, reason: 'gone ü' })
    expect(receiver.seen).toEqual(['passes'])
    expect([sender.error, receiver.error]).toEqual([undefined, undefined])
    await untilTrue(() => sockets.proxy.connections.size === 0, 'the end of the connection')
    expect(acts(sockets.network)).toEqual([
      {
        action: 'close',
        detail: { code: 4321, reason: 'gone ü', opcode: 'text', message: 2, bytes: 11, path: '/chat' },
      },
    ])
  })

  test.concurrent('has code 1011 and no reason unless told otherwise', async () => {
    await using sockets = await startWebSockets([close()])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.send('x')
    expect(await receiver.untilClosed()).toEqual({ code: 1011, reason: '' })
    expect(await sender.untilClosed()).toEqual({ code: 1011, reason: '' })
  })

  test.concurrent('on the wire is one frame, masked towards servers, and nothing follows it, also once removed', async () => {
    await using sockets = await startRawWebSockets([close({ reason: 'r'.repeat(123) })])
    const { sender, receiver } = await sockets.connect(direction)
    const [first, last] = fragmented('text', 'a', 'b').map((each) => encode(direction, each))
    sender.socket.write(first!)
    const expected = 2 + (direction === 'upstream' ? 4 : 0) + 2 + 123
    const frames = decode(direction, await receiver.until(expected))
    expect(frames.map(({ opcode, payload }) => [opcode, payload.readUInt16BE(0), payload.toString('utf8', 2)])).toEqual(
      [[8, 1011, 'r'.repeat(123)]],
    )
    sender.socket.write(last!)
    sockets.proxy.removeFault('closer')
    sender.socket.end(encode(direction, frame('text', 'more'), frame('close')))
    expect(await receiver.socket.untilEnded()).toBe('FIN')
    expect(receiver.received).toHaveLength(expected)
  })

  test.concurrent('lets the answer of the receiver pass to the sender as it is', async () => {
    await using sockets = await startRawWebSockets([close({ code: 3000 })])
    const { sender, receiver } = await sockets.connect(direction)
    sender.socket.write(encode(direction, frame('text', 'x')))
    await receiver.until(4)
    const other = direction === 'upstream' ? 'downstream' : 'upstream'
    const answer = encode(other, frame('text', 'not yet'), frame('close', Buffer.from([0x0b, 0xb8])))
    receiver.socket.write(answer)
    expect(await sender.until(answer.length)).toEqual(answer)
    sender.socket.end()
    expect(await receiver.socket.untilEnded()).toBe('FIN')
    receiver.socket.end()
    expect(await sender.socket.untilEnded()).toBe('FIN')
  })

  test.concurrent('when now, closes live connections at once', async () => {
    await using sockets = await startWebSockets()
    const pairs = [await sockets.connect({ direction }), await sockets.connect({ direction, path: '/other' })]
    sockets.proxy.addFault(close({ code: 1012, reason: 'restart', when: 'now' }, { match: { path: '/chat' } }))
    expect(await pairs[0]!.receiver.untilClosed()).toEqual({ code: 1012, reason: 'restart' })
    expect(await pairs[0]!.sender.untilClosed()).toEqual({ code: 1012, reason: 'restart' })
    pairs[1]!.sender.send('x')
    await pairs[1]!.receiver.until(1)
    expect(acts(sockets.network)).toEqual([
      { action: 'close', detail: { code: 1012, reason: 'restart', path: '/chat' } },
    ])
  })

  test.concurrent('when now, closes new connections right behind the handshake, counted in place of messages', async () => {
    await using sockets = await startWebSockets([close({ when: 'now' }, { skip: 1, times: 1 })])
    const first = await sockets.connect({ direction })
    const second = await sockets.connect({ direction })
    const third = await sockets.connect({ direction })
    expect(await second.receiver.untilClosed()).toEqual({ code: 1011, reason: '' })
    // A change does not count them again.
    sockets.proxy.updateFault('closer', { attributes: { reason: 'changed' }, times: 2 })
    for (const { sender, receiver } of [first, third]) {
      sender.send('x')
      await receiver.until(1)
    }
  })

  test.concurrent('when now, waits for the end of the frame that is on its way', async () => {
    await using sockets = await startRawWebSockets()
    const { sender, receiver } = await sockets.connect(direction)
    const [first, last] = fragmented('text', 'first', 'last').map((each) => encode(direction, each))
    sender.socket.write(first!.subarray(0, 1)) // a part of a header
    await receiver.until(1)
    sockets.proxy.addFault(close({ when: 'now' }))
    sender.socket.write(Buffer.concat([first!.subarray(1), last!]))
    const closeBytes = direction === 'upstream' ? 8 : 4
    const received = await receiver.until(first!.length + closeBytes)
    expect(decode(direction, received).map(({ opcode }) => opcode)).toEqual([1, 8])
    sender.socket.end()
    await receiver.socket.untilEnded()
    expect(receiver.received).toHaveLength(first!.length + closeBytes)
  })

  test.concurrent('never sends a second Close', async () => {
    await using sockets = await startRawWebSockets()
    const { sender, receiver } = await sockets.connect(direction)
    const bytes = encode(direction, frame('close', Buffer.from([0x03, 0xe8])))
    sender.socket.write(bytes)
    await receiver.until(bytes.length)
    sockets.proxy.addFault(close({ when: 'now' }))
    sockets.proxy.addFault(close({}, { name: 'other' }))
    const illegal = encode(direction, frame('text', 'data behind a Close'))
    sender.socket.end(illegal)
    await receiver.socket.untilEnded()
    expect(receiver.received).toEqual(Buffer.concat([bytes, illegal]))
  })

  test.concurrent('replaces a Close by its own if it is for such', async () => {
    await using sockets = await startWebSockets([close({ code: 1013 }, { match: { opcode: 'close' } })])
    const { sender, receiver } = await sockets.connect({ direction })
    sender.socket.close(1000, 'bye')
    expect((await receiver.untilClosed()).code).toBe(1013)
    expect((await sender.untilClosed()).code).toBe(1013)
  })
})

test('a WebSocket as in browsers sees a clean close', async () => {
  await using sockets = await startWebSockets()
  const client = new UndiciWebSocket(`ws://127.0.0.1:${portOf(sockets.proxy)}/chat`)
  await once(client, 'open')
  const closed = once(client, 'close')
  sockets.proxy.addFault({ type: 'websocket_close', attributes: { code: 4000, reason: 'because', when: 'now' } })
  const [event] = (await closed) as [{ code: number; reason: string; wasClean: boolean }]
  expect([event.code, event.reason, event.wasClean]).toEqual([4000, 'because', true])
})

test.each([
  [{ code: 999 }, 'attributes.code'],
  [{ code: 1004 }, 'attributes.code'],
  [{ code: 1005 }, 'attributes.code'],
  [{ code: 1006 }, 'attributes.code'],
  [{ code: 1015 }, 'attributes.code'],
  [{ code: 5000 }, 'attributes.code'],
  [{ code: 1000.5 }, 'attributes.code'],
  [{ reason: 'r'.repeat(124) }, 'attributes.reason'],
  [{ reason: 'ü'.repeat(62) }, 'attributes.reason'],
  [{ reason: '\ud800' }, 'attributes.reason'],
  [{ when: 'later' }, 'attributes.when'],
])('what can not be sent is refused, naming the field: %j', async (attributes, field) => {
  await using sockets = await startWebSockets()
  expect(() => sockets.proxy.addFault({ type: 'websocket_close', attributes })).toThrow(
    expect.objectContaining({ field, code: 'invalid_value' }),
  )
  sockets.proxy.addFault({ type: 'websocket_close', name: 'fine' })
  expect(() => sockets.proxy.updateFault('fine', { attributes })).toThrow(expect.objectContaining({ field }))
})
