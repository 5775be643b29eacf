import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Direction } from '../../../../proxy/index.ts'
import { FramePiece, FrameWalker } from '../../../../proxy/protocols/websocket/frame-walker.ts'
import { directions } from '../../../support/stream-faults.ts'
import {
  anyCuts,
  anyFrames,
  cut,
  encode,
  frame,
  fragmented,
  messagesOf,
  type Frame,
} from '../../../support/websocket-frames.ts'

interface Border {
  readonly opcode: number
  readonly final: boolean
  readonly message: number
  readonly payloadBytes: number
  /** Offset behind the frame. */
  readonly endsAt: number
}

/** Walks over chunks, and checks on the way what must hold for any bytes. */
function walk(walker: FrameWalker, chunks: readonly Buffer[]): { borders: Border[]; opaqueAt: number | undefined } {
  const borders: Border[] = []
  let opaqueAt: number | undefined
  let offset = 0
  for (const chunk of chunks) {
    // Each byte can be in one piece, and a frame's end comes without bytes: more steps would be a walk in a circle.
    let stepsLeft = 2 * chunk.length + 3
    for (let at = 0; ;) {
      if (stepsLeft-- < 0) throw new Error('walks in a circle')
      const to = walker.next(chunk, at)
      if (to < at || to > chunk.length) throw new Error(`from ${at} to ${to} of ${chunk.length}`)
      if (walker.piece === FramePiece.none) break
      if (walker.piece === FramePiece.end) {
        const { opcode, final, messages, payloadBytes } = walker
        borders.push({ opcode, final, message: messages, payloadBytes, endsAt: offset + to })
      }
      if (walker.piece === FramePiece.opaque) opaqueAt ??= offset + at
      at = to
    }
    offset += chunk.length
  }
  return { borders, opaqueAt }
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex')
}

describe('the examples of RFC 6455 section 5.7', () => {
  test.each([
    ['an unmasked text message', 'downstream', '81 05 48 65 6c 6c 6f', [[1, true, 5]]],
    ['a masked text message', 'upstream', '81 85 37 fa 21 3d 7f 9f 4d 51 58', [[1, true, 5]]],
    [
      'a fragmented text message',
      'downstream',
      '01 03 48 65 6c 80 02 6c 6f',
      [
        [1, false, 3],
        [0, true, 2],
      ],
    ],
    [
      'a ping and its pong',
      'downstream',
      '89 05 48 65 6c 6c 6f 8a 05 48 65 6c 6c 6f',
      [
        [9, true, 5],
        [10, true, 5],
      ],
    ],
    ['256 bytes', 'downstream', `82 7e 01 00 ${'00'.repeat(256)}`, [[2, true, 256]]],
    ['64 KiB', 'downstream', `82 7f 00 00 00 00 00 01 00 00 ${'00'.repeat(65_536)}`, [[2, true, 65_536]]],
  ] as const)('%s', (_, direction, hex, expected) => {
    const { borders, opaqueAt } = walk(new FrameWalker(direction), [bytesOf(hex)])
    expect(borders.map(({ opcode, final, payloadBytes }) => [opcode, final, payloadBytes])).toEqual(expected)
    expect(opaqueAt).toBeUndefined()
  })

  test('a mask is taken off', () => {
    const walker = new FrameWalker('upstream')
    const bytes = bytesOf('81 85 37 fa 21 3d 7f 9f 4d 51 58')
    walker.next(bytes, 0)
    const text = Buffer.alloc(5)
    walker.unmask(bytes.subarray(6), text)
    expect(text.toString()).toBe('Hello')
  })
})

describe.each(directions)('%s', (direction) => {
  test('any frames, cut anywhere, have the borders that they were given', () => {
    fc.assert(
      fc.property(anyFrames, anyCuts, (frames, places) => {
        const { borders, opaqueAt } = walk(new FrameWalker(direction), cut(encode(direction, ...frames), places))
        expect(opaqueAt).toBeUndefined()
        expect(borders).toEqual(bordersOf(direction, frames))
      }),
      { seed: 1, numRuns: 300 },
    )
  })

  test('frames of every kind, cut at every byte, have the same borders', () => {
    const frames = [
      ...fragmented('text', 'ab', '', 'c'.repeat(200)),
      frame('ping', 'x'),
      frame('binary'),
      frame('close'),
    ]
    const bytes = encode(direction, ...frames)
    const expected = bordersOf(direction, frames)
    for (let place = 0; place <= bytes.length; place++) {
      const { borders } = walk(new FrameWalker(direction), cut(bytes, [place]))
      expect(borders, `cut at ${place}`).toEqual(expected)
    }
    expect(
      walk(
        new FrameWalker(direction),
        [...bytes].map((byte) => Buffer.from([byte])),
      ).borders,
    ).toEqual(expected)
  })

  test('a clone made anywhere goes on by itself, with the same borders', () => {
    fc.assert(
      fc.property(anyFrames, fc.nat(), anyCuts, (frames, place, places) => {
        const [before = Buffer.alloc(0), after = Buffer.alloc(0)] = cut(encode(direction, ...frames), [place])
        const walker = new FrameWalker(direction)
        const { borders: first } = walk(walker, [before])
        const clone = walker.clone()
        const { borders } = walk(clone, cut(after, places))
        expect(walk(walker, [after]).borders).toEqual(borders)
        const shifted = borders.map((border) => ({ ...border, endsAt: border.endsAt + before.length }))
        expect([...first, ...shifted]).toEqual(bordersOf(direction, frames))
      }),
      { seed: 2, numRuns: 200 },
    )
  })

  test('garbage neither throws nor hangs, and what is opaque once stays so', () => {
    const garbage = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 8 }), anyFrames, (chunks, frames) => {
        const walker = new FrameWalker(direction)
        const { opaqueAt } = walk(walker, chunks)
        if (opaqueAt === undefined) return
        expect(walker.reason).not.toBe('')
        const { borders, opaqueAt: again } = walk(walker, [encode(direction, ...frames, frame('ping'))])
        expect({ borders, again }).toEqual({ borders: [], again: 0 })
      }),
      { seed: 3, numRuns: 1000 },
    )
  })

  test.each([
    ['a reserved opcode', (): Buffer => Buffer.from([0x83, 0x80])],
    ['a reserved opcode', (): Buffer => Buffer.from([0x8b, 0x80])],
    ['a fragmented control frame', (): Buffer => Buffer.from([0x09, 0x80])],
    ['a control frame of more than 125 bytes', (): Buffer => Buffer.from([0x89, 126, 0, 126]), true],
    ['a continuation of nothing', (): Buffer => encode(direction, frame('continuation'))],
    [
      'a new message inside a fragmented one',
      (): Buffer => encode(direction, frame('text'), frame('binary')),
      false,
      0x01,
    ],
    ['a length above 2^53', (): Buffer => bytesOf('82 7f 00 20 00 00 00 00 00 00 00 00 00 00'), true],
    ['a length above 2^53', (): Buffer => bytesOf('82 7f ff ff ff ff ff ff ff ff 00 00 00 00'), true],
  ])('%s is opaque from the first byte of its frame on', (reason, make, setMask = false, firstByte?: number) => {
    const before = encode(direction, ...fragmented('text', 'a', 'b'))
    const broken = make()
    if (setMask && direction === 'upstream') broken[1]! |= 0x80
    // The first frame becomes the first one of several.
    if (firstByte !== undefined) broken[0] = firstByte
    const offset = firstByte === undefined ? before.length : before.length + encode(direction, frame('text')).length
    const bytes = Buffer.concat([before, broken])
    for (let place = 0; place <= bytes.length; place++) {
      const walker = new FrameWalker(direction)
      const { opaqueAt } = walk(walker, cut(bytes, [place]))
      expect(walker.reason).toBe(reason)
      // A part of its header may have come in the chunk before, and looked like one.
      expect([offset, Math.max(offset, place)]).toContain(opaqueAt)
    }
  })

  test('the largest length that is exact is taken', () => {
    const walker = new FrameWalker(direction)
    const header = bytesOf('82 7f 00 1f ff ff ff ff ff ff 00 00 00 00')
    if (direction === 'upstream') header[1]! |= 0x80
    walker.next(header, 0)
    expect([walker.piece, walker.payloadBytes]).toEqual([FramePiece.header, Number.MAX_SAFE_INTEGER])
  })

  test('a frame that is masked like one of the other direction is opaque', () => {
    const other: Direction = direction === 'upstream' ? 'downstream' : 'upstream'
    const walker = new FrameWalker(direction)
    expect(walk(walker, [encode(other, frame('text', 'x'))]).opaqueAt).toBe(0)
    expect(walker.reason).toBe(
      direction === 'upstream' ? 'an unmasked frame of a client' : 'a masked frame of a server',
    )
  })

  test('bits of extensions and lengths in more bytes than needed pass', () => {
    const extended = encode(direction, frame('text', 'x', { reserved: 7 }))
    const long = Buffer.from([
      0x82,
      direction === 'upstream' ? 0xfe : 0x7e,
      0,
      1,
      ...(direction === 'upstream' ? [0, 0, 0, 0] : []),
      9,
    ])
    const walker = new FrameWalker(direction)
    const { borders, opaqueAt } = walk(walker, [extended, long])
    expect(opaqueAt).toBeUndefined()
    expect(borders.map(({ payloadBytes }) => payloadBytes)).toEqual([1, 1])
  })
})

function bordersOf(direction: Direction, frames: readonly Frame[]): Border[] {
  const messages = messagesOf(frames)
  let endsAt = 0
  let begun = 0
  return frames.map((each) => {
    const { length } = encode(direction, each)
    endsAt += length
    // Counts messages that have begun, control frames in between, too.
    if (messages.some(([first]) => first === each)) begun++
    const { opcode, final, payload } = each
    return { opcode, final, message: begun, payloadBytes: payload.length, endsAt }
  })
}
