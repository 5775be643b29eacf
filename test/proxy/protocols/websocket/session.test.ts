// What must hold for any frames, cut anywhere, whatever faults come and go. Behaviour on sockets has its own tests.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Direction, FaultSpec } from '../../../../proxy/index.ts'
import { Opcode } from '../../../../proxy/protocols/websocket/frame-walker.ts'
import { IsolatedWebSocket } from '../../../support/isolated-websocket.ts'
import { directions } from '../../../support/stream-faults.ts'
import {
  anyCuts,
  anyFrames,
  cut,
  encode,
  fragmented,
  frame,
  messagesOf,
  type Frame,
} from '../../../support/websocket-frames.ts'

const types = ['websocket_delay', 'websocket_drop', 'websocket_close', 'websocket_stall', 'websocket_corrupt'] as const

/** Longer than anything waits here. */
const delay: FaultSpec = { type: 'websocket_delay', attributes: { delayMs: 1000 } }

const attributesOf = (type: string): { attributes?: Record<string, unknown> } =>
  type === 'websocket_delay' ? { attributes: { delayMs: 1000 } } : {}

/** What is left of the frames without the messages that are gone. */
function without(frames: readonly Frame[], gone: (message: Frame[]) => boolean): Frame[] {
  const goneFrames = new Set(messagesOf(frames).filter(gone).flat())
  return frames.filter((each) => !goneFrames.has(each))
}

function bytesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { payload }) => sum + payload.length, 0)
}

function isText([first]: readonly Frame[]): boolean {
  return first!.opcode === Opcode.text
}

function textOf(message: readonly Frame[]): string {
  return Buffer.concat(message.map(({ payload }) => payload)).toString()
}

describe.each(directions)('%s', (direction) => {
  test.each(types)('%s that acts on nothing passes any bytes as they are, and keeps none', (type) => {
    const idle = [
      { name: 'never', probability: 0 },
      { name: 'text', match: { text: 'no text has this: §' } },
      { name: 'elsewhere', match: { path: '/elsewhere' } },
      { name: 'close', match: { opcode: 'close' } },
    ]
    fc.assert(
      fc.property(anyFrames, anyCuts, (frames, places) => {
        const bytes = encode(direction, ...frames)
        const socket = new IsolatedWebSocket(idle.map((spec) => ({ ...spec, type, direction, ...attributesOf(type) })))
        for (const chunk of cut(bytes, places)) socket.write(direction, chunk)
        expect(socket.output[direction].bytes.equals(bytes)).toBe(true)
        expect([socket.heldBytes, socket.acts, socket.events]).toEqual([0, [], []])
      }),
      { seed: 1, numRuns: 60 },
    )
  })

  test('drop takes out exactly the messages that match, whole, wherever chunks are cut', () => {
    fc.assert(
      fc.property(anyFrames, anyCuts, fc.constantFrom('text', 'binary', 'ping', 'data'), (frames, places, opcode) => {
        const socket = new IsolatedWebSocket([{ type: 'websocket_drop', direction, match: { opcode } }])
        for (const chunk of cut(encode(direction, ...frames), places)) socket.write(direction, chunk)
        const wanted: number[] = opcode === 'data' ? [1, 2] : [Opcode[opcode]]
        const gone = (message: Frame[]): boolean => wanted.includes(message[0]!.opcode)
        expect(socket.output[direction].bytes.equals(encode(direction, ...without(frames, gone)))).toBe(true)
        // On record when they end, which is later than they begin if there are others in between.
        const droppedBytes = messagesOf(frames).filter(gone).map(bytesOf)
        expect(new Set(socket.acts.map(({ detail }) => detail['bytes']))).toEqual(new Set(droppedBytes))
        expect(socket.acts).toHaveLength(droppedBytes.length)
      }),
      { seed: 2, numRuns: 300 },
    )
  })

  test('a text match sees the text of all frames, and looks no further than 64 KiB', () => {
    fc.assert(
      fc.property(anyFrames, anyCuts, fc.string({ minLength: 1, maxLength: 2 }), (frames, places, part) => {
        const match = { text: { regex: `^[^\\x00]*${part.replaceAll(/[^a-z0-9 ]/gi, '.')}`, flags: 's' } }
        const socket = new IsolatedWebSocket([{ type: 'websocket_drop', direction, match }])
        for (const chunk of cut(encode(direction, ...frames), places)) socket.write(direction, chunk)
        const regex = new RegExp(match.text.regex, 's')
        const gone = (message: Frame[]): boolean => isText(message) && regex.test(textOf(message).slice(0, 65_536))
        expect(socket.output[direction].bytes.equals(encode(direction, ...without(frames, gone)))).toBe(true)
        expect(socket.heldBytes).toBe(0)
      }),
      { seed: 3, numRuns: 300 },
    )
  })

  test('faults that come, change and go anywhere lose nothing of what they hold, and break no frame', () => {
    const holding = ['websocket_delay', 'websocket_stall'] as const
    const step = fc.record({
      at: fc.nat(100_000),
      what: fc.constantFrom('add', 'change', 'remove', 'wait'),
      type: fc.constantFrom(...holding),
      text: fc.boolean(),
    })
    fc.assert(
      fc.property(anyFrames, anyCuts, fc.array(step, { maxLength: 12 }), (frames, places, steps) => {
        const bytes = encode(direction, ...frames)
        const socket = new IsolatedWebSocket()
        const there = new Set<string>()
        const take = ({ what, type, text }: (typeof steps)[number]): void => {
          const match = text ? { text: 'a' } : {}
          if (what === 'wait') socket.clock.advance(700)
          else if (what === 'add' && !there.has(type)) {
            socket.add({ type, direction, name: type, match, ...attributesOf(type) })
            there.add(type)
          } else if (what === 'change' && there.has(type)) {
            socket.change(type, {
              match,
              attributes: type === 'websocket_delay' ? { delayMs: 300 } : { durationMs: 500 },
            })
          } else if (what === 'remove' && there.delete(type)) socket.remove(type)
        }
        const stops = steps.map((each) => ({ ...each, at: each.at % (bytes.length + 1) })).sort((a, b) => a.at - b.at)
        let offset = 0
        for (const chunk of cut(bytes, [...places, ...stops.map(({ at }) => at)])) {
          while (stops[0] && stops[0].at <= offset) take(stops.shift()!)
          socket.write(direction, chunk)
          offset += chunk.length
        }
        for (const type of there) socket.remove(type)
        expect(socket.output[direction].bytes.equals(bytes)).toBe(true)
        expect([socket.heldBytes, socket.clock.pendingTimers]).toEqual([0, 0])
      }),
      { seed: 4, numRuns: 300 },
    )
  })

  test('drop and close that come and go anywhere leave whole frames, whatever is cut', () => {
    const step = fc.record({
      at: fc.nat(100_000),
      what: fc.constantFrom('add', 'remove'),
      type: fc.constantFrom('websocket_drop', 'websocket_drop', 'websocket_drop', 'websocket_close'),
      now: fc.boolean(),
    })
    fc.assert(
      fc.property(anyFrames, anyCuts, fc.array(step, { maxLength: 12 }), (frames, places, steps) => {
        const bytes = encode(direction, ...frames, frame('binary', 'end'))
        const socket = new IsolatedWebSocket()
        const there = new Set<string>()
        const stops = steps.map((each) => ({ ...each, at: each.at % (bytes.length + 1) })).sort((a, b) => a.at - b.at)
        let offset = 0
        for (const chunk of cut(bytes, [...places, ...stops.map(({ at }) => at)])) {
          for (; stops[0] && stops[0].at <= offset; stops.shift()) {
            const { type, what, now } = stops[0]
            const attributes = type === 'websocket_close' && now ? { when: 'now' } : {}
            if (what === 'add' && !there.has(type)) socket.add({ type, direction, name: type, attributes })
            if (what === 'add') there.add(type)
            else if (there.delete(type)) socket.remove(type)
          }
          socket.write(direction, chunk)
          offset += chunk.length
        }
        const closed = socket.acts.some(({ action }) => action === 'close')
        const sent = [...frames, frame('binary', 'end')]
        const out = socket.frames(direction)
        if (closed) expect(out.pop()?.opcode).toBe(Opcode.close)
        // What came out is what went in, in order, without some messages.
        let index = -1
        for (const each of out) {
          index = sent.findIndex(
            ({ opcode, final, payload }, place) =>
              place > index && opcode === each.opcode && final === each.final && payload.equals(each.payload),
          )
          expect(index).toBeGreaterThanOrEqual(0)
        }
        if (!closed) {
          const dropped = socket.acts.reduce((sum, { detail }) => sum + Number(detail['bytes']), 0)
          expect(bytesOf(out) + dropped).toBe(bytesOf(sent))
        }
      }),
      { seed: 5, numRuns: 300 },
    )
  })

  test('corrupt changes payloads of matching messages only, the same bits wherever chunks are cut', () => {
    fc.assert(
      fc.property(anyFrames, anyCuts, (frames, places) => {
        const spec: FaultSpec = {
          type: 'websocket_corrupt',
          direction,
          attributes: { rate: 0.05 },
          match: { opcode: 'text' },
        }
        const run = (chunks: readonly Buffer[]): IsolatedWebSocket => {
          const socket = new IsolatedWebSocket([spec])
          for (const chunk of chunks) socket.write(direction, chunk)
          return socket
        }
        const bytes = encode(direction, ...frames)
        const whole = run([bytes])
        const pieces = run(cut(bytes, places))
        expect(pieces.output[direction].bytes.equals(whole.output[direction].bytes)).toBe(true)
        expect(pieces.acts).toEqual(whole.acts)
        const out = whole.frames(direction)
        expect(out.map(({ opcode, final, payload }) => [opcode, final, payload.length])).toEqual(
          frames.map(({ opcode, final, payload }) => [opcode, final, payload.length]),
        )
        const messages = messagesOf(frames)
        const changed = messages.filter((message) =>
          message.some((each) => !out[frames.indexOf(each)]!.payload.equals(each.payload)),
        )
        expect(changed.every(isText)).toBe(true)
        const damageable = messages.filter((message) => isText(message) && message[0]!.payload.length > 0)
        expect(changed).toEqual(expect.arrayContaining(damageable))
        expect(whole.acts).toHaveLength(changed.length)
      }),
      { seed: 6, numRuns: 300 },
    )
  })

  test('garbage passes as it is behind all that was held, and is reported once', () => {
    const garbage = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(anyFrames, garbage, anyCuts, (frames, rubbish, places) => {
        const faults: FaultSpec[] = [
          { type: 'websocket_stall', direction },
          { ...delay, direction },
          { type: 'websocket_corrupt', direction, match: { text: '§' } },
        ]
        const socket = new IsolatedWebSocket(faults)
        // Opaque from its first byte on in both directions, whatever comes then.
        const bytes = Buffer.concat([encode(direction, ...frames), Buffer.from([0x83]), rubbish])
        for (const chunk of cut(bytes, places)) socket.write(direction, chunk)
        expect(socket.output[direction].bytes.equals(bytes)).toBe(true)
        expect(socket.heldBytes).toBe(0)
        expect(socket.events).toEqual([
          { type: 'opaque', detail: { protocol: 'websocket', direction, reason: 'a reserved opcode' } },
        ])
        socket.add({ type: 'websocket_drop', direction: 'upstream' })
        socket.add({ type: 'websocket_drop', direction: 'downstream' })
        expect(socket.events.slice(1).map(({ type, detail }) => [type, detail['reason']])).toEqual([
          ['fault_not_applied', 'a reserved opcode'],
          ['fault_not_applied', 'a reserved opcode'],
        ])
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  test('an unmasked frame in the direction upstream, and a masked one in the other, is reported', () => {
    const other: Direction = direction === 'upstream' ? 'downstream' : 'upstream'
    const socket = new IsolatedWebSocket()
    socket.write(direction, encode(other, frame('text', 'x')))
    expect(socket.events).toHaveLength(1)
    expect(socket.output[direction].bytes).toEqual(encode(other, frame('text', 'x')))
  })

  test('what is opaque in one direction stops faults in both, and passes what they hold', () => {
    const other: Direction = direction === 'upstream' ? 'downstream' : 'upstream'
    const socket = new IsolatedWebSocket([{ type: 'websocket_stall', direction: other }])
    const message = encode(other, frame('text', 'kept'))
    socket.write(other, message)
    expect(socket.output[other].bytes).toHaveLength(0)
    socket.write(direction, Buffer.from([0x83]))
    expect(socket.output[other].bytes).toEqual(message)
    expect(socket.output[other].flowUpdates).toBeGreaterThan(0)
    socket.write(other, message)
    expect(socket.output[other].bytes).toEqual(Buffer.concat([message, message]))
  })
})

describe('text messages', () => {
  const match = { text: 'x' }

  test('are held until they are complete, and count as held', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match }])
    const [first, last] = fragmented('text', 'aaaa', 'bbbb')
    socket.write('downstream', encode('downstream', first!, frame('ping', 'p')))
    expect(socket.output.downstream.bytes).toHaveLength(0)
    expect(socket.heldBytes).toBe(2 + 4 + 2 + 1)
    socket.write('downstream', encode('downstream', last!))
    expect(socket.frames('downstream')).toHaveLength(3)
    expect(socket.heldBytes).toBe(0)
  })

  test('that are longer than 64 KiB are decided on by what has come, and held no longer', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match }])
    const long = encode('upstream', frame('text', 'a'.repeat(200_000)))
    const down = encode('downstream', frame('text', `${'a'.repeat(70_000)}x`))
    socket.write('downstream', down.subarray(0, 60_000))
    expect(socket.heldBytes).toBe(60_000)
    socket.write('downstream', down.subarray(60_000, 66_000))
    expect(socket.heldBytes).toBe(0)
    socket.write('downstream', down.subarray(66_000))
    // The x lies behind what is looked at.
    expect(socket.output.downstream.bytes.equals(down)).toBe(true)
    expect(socket.acts).toEqual([])
    socket.write('upstream', long)
    expect(socket.output.upstream.bytes.equals(long)).toBe(true)
  })

  test('in frames of nothing but headers are not held without a bound', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match }])
    socket.write('downstream', encode('downstream', frame('text', 'a', { final: false })))
    const pings = encode('downstream', ...Array.from({ length: 1000 }, () => frame('ping')))
    let held = 0
    for (let round = 0; round < 200; round++) {
      socket.write('downstream', pings)
      held = Math.max(held, socket.heldBytes)
    }
    expect(held).toBeGreaterThan(100_000)
    expect(held).toBeLessThan(140_000)
    expect(socket.heldBytes).toBe(0)
    expect(socket.output.downstream.bytes).toHaveLength(2 + 1 + 200 * 2000)
  })

  test('are held no longer than the limit of the connection allows', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match }], { maxHeldBytes: 100 })
    const bytes = encode('downstream', frame('text', 'a'.repeat(1000)))
    socket.write('downstream', bytes.subarray(0, 50))
    expect(socket.heldBytes).toBe(50)
    socket.write('downstream', bytes.subarray(50, 200))
    expect(socket.output.downstream.bytes.equals(bytes.subarray(0, 200))).toBe(true)
  })

  test('with RSV bits can not be matched: said once, and they pass', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match, name: 'lossy' }])
    const compressed = encode('downstream', frame('text', 'x', { reserved: 4 }), frame('text', 'x', { reserved: 4 }))
    socket.write('downstream', compressed)
    socket.write('downstream', encode('downstream', frame('text', 'x')))
    expect(socket.output.downstream.bytes).toEqual(compressed)
    expect(socket.acts).toHaveLength(1)
    expect(socket.events).toEqual([
      {
        type: 'fault_not_applied',
        detail: { fault: 'lossy', type: 'websocket_drop', reason: expect.stringContaining('compressed') },
      },
    ])
  })

  test('of which some is there at the end of the direction pass with it', () => {
    const socket = new IsolatedWebSocket([{ type: 'websocket_drop', match }])
    const bytes = encode('downstream', frame('text', 'abc')).subarray(0, 4)
    socket.write('downstream', bytes)
    socket.session.input.downstream.end()
    expect(socket.output.downstream.bytes).toEqual(bytes)
    expect(socket.output.downstream.signals).toEqual(['end'])
  })
})

test('a fault that is removed in the middle of a message that it drops is gone with the end of that', () => {
  const socket = new IsolatedWebSocket([{ type: 'websocket_drop', name: 'lossy' }])
  const [first, last] = fragmented('text', 'a', 'b').map((each) => encode('downstream', each))
  socket.write('downstream', first!)
  socket.remove('lossy')
  socket.write('downstream', last!)
  // A stage would keep a part of a header until the rest comes.
  const part = encode('downstream', frame('ping')).subarray(0, 1)
  socket.write('downstream', part)
  expect(socket.output.downstream.bytes).toEqual(part)
})

test('RST passes at once, and what is held is gone with it', () => {
  const socket = new IsolatedWebSocket([delay])
  socket.write('downstream', encode('downstream', frame('text', 'x')))
  socket.session.input.downstream.reset()
  expect(socket.output.downstream.signals).toEqual(['reset'])
  expect([socket.heldBytes, socket.clock.pendingTimers]).toEqual([0, 0])
})

test('a disposed session holds nothing and has no timer', () => {
  const socket = new IsolatedWebSocket([delay, { type: 'websocket_drop', match: { text: 'x' } }])
  socket.write('downstream', encode('downstream', frame('binary', 'x'), frame('text', 'x')).subarray(0, 5))
  socket.session.dispose()
  expect([socket.heldBytes, socket.clock.pendingTimers]).toEqual([0, 0])
})
