// WebSocket frames for tests: bytes as the wire has them, what is in them, and sequences of them at random.
import fc, { type Arbitrary } from 'fast-check'
import type { Direction } from '../../proxy/index.ts'
import { FramePiece, FrameWalker, Opcode } from '../../proxy/protocols/websocket/frame-walker.ts'

export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
  readonly final: boolean
  /** RSV1 to RSV3 as bits 4, 2 and 1. */
  readonly reserved: number
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

export function frame(
  opcode: keyof typeof Opcode,
  payload: string | Buffer = '',
  { final = true, reserved = 0 } = {},
): Frame {
  return { opcode: Opcode[opcode], payload: Buffer.from(payload), final, reserved }
}

/** A message in frames of the given payloads. */
export function fragmented(opcode: 'text' | 'binary', ...payloads: (string | Buffer)[]): Frame[] {
  return payloads.map((payload, index) =>
    frame(index === 0 ? opcode : 'continuation', payload, { final: index === payloads.length - 1 }),
  )
}

/** As it is on the wire: masked in direction upstream, not in the other. */
export function encode(direction: Direction, ...frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.map((each) => encodeOne(direction, each)))
}

function encodeOne(direction: Direction, { opcode, payload, final, reserved }: Frame): Buffer {
  const { length } = payload
  const isMasked = direction === 'upstream'
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const header = Buffer.alloc(2 + lengthBytes)
  header[0] = (final ? 0x80 : 0) | (reserved << 4) | opcode
  header[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) header.writeUInt16BE(length, 2)
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2)
  if (!isMasked) return Buffer.concat([header, payload])
  const masked = Buffer.from(payload)
  for (let index = 0; index < length; index++) masked[index]! ^= MASK[index & 3]!
  return Buffer.concat([header, MASK, masked])
}

/** The frames in whole bytes. Fails on anything else. */
export function decode(direction: Direction, bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  const walker = new FrameWalker(direction)
  let payload = Buffer.alloc(0)
  for (let at = 0; ;) {
    const to = walker.next(bytes, at)
    switch (walker.piece) {
      case FramePiece.payload:
        payload = Buffer.alloc(to - at)
        walker.unmask(bytes.subarray(at, to), payload)
        break
      case FramePiece.end: {
        const { opcode, final, payloadBytes } = walker
        if (payload.length !== payloadBytes) throw new Error('a frame in parts')
        frames.push({ opcode, payload, final, reserved: walker.extended ? 4 : 0 })
        payload = Buffer.alloc(0)
        break
      }
      case FramePiece.none:
        if (!walker.atBorder) throw new Error('the last frame is not complete')
        return frames
      case FramePiece.opaque:
        throw new Error(walker.reason)
      default:
    }
    at = to
  }
}

/** Cuts bytes at the given places, which may be anywhere. */
export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...sorted].map((place, index) => bytes.subarray(place, sorted[index] ?? bytes.length))
}

export const anyCuts = fc.array(fc.nat(100_000), { maxLength: 40 })

/** The lengths at which headers change, and small ones. */
const anyLength = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 0, max: 20 }) },
  { weight: 2, arbitrary: fc.constantFrom(125, 126, 127, 128, 1000) },
  { weight: 1, arbitrary: fc.constantFrom(65_535, 65_536, 70_000) },
)

/** ASCII, so that text is text. */
const anyPayload: Arbitrary<Buffer> = fc
  .tuple(anyLength, fc.string({ minLength: 1, maxLength: 101 }))
  .map(([length, text]) => Buffer.alloc(length, text))

const anyControl: Arbitrary<Frame> = fc
  .tuple(fc.constantFrom('ping', 'pong'), fc.string({ maxLength: 30 }))
  .map(([opcode, payload]) => frame(opcode, payload))

/** A message of one or more frames, with control frames in between. */
const anyData: Arbitrary<Frame[]> = fc
  .tuple(
    fc.constantFrom('text', 'binary'),
    fc.array(anyPayload, { minLength: 1, maxLength: 4 }),
    fc.array(anyControl, { maxLength: 2 }),
  )
  .map(([opcode, payloads, controls]) => {
    const frames = fragmented(opcode, ...payloads)
    return frames.flatMap((each, index) => [each, ...(index < frames.length - 1 ? controls : [])])
  })

/** What a peer may send. */
export const anyFrames: Arbitrary<Frame[]> = fc
  .array(fc.oneof({ weight: 3, arbitrary: anyData }, { weight: 1, arbitrary: anyControl.map((each) => [each]) }), {
    maxLength: 8,
  })
  .map((messages) => messages.flat())

/** The frames of each message; those of control frames stand where they begin. */
export function messagesOf(frames: readonly Frame[]): Frame[][] {
  const messages: Frame[][] = []
  let data: Frame[] = []
  for (const each of frames) {
    if (each.opcode === Opcode.continuation) data.push(each)
    else {
      const message = [each]
      messages.push(message)
      if (each.opcode < Opcode.close) data = message
    }
  }
  return messages
}
