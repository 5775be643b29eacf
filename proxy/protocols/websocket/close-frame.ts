// A Close frame of the proxy's own (RFC 6455 section 5.5.1).
import { MAX_CONTROL_PAYLOAD_BYTES, Opcode } from './frame-walker.ts'

/** What is left of a control frame's payload behind the code. */
export const MAX_CLOSE_REASON_BYTES = MAX_CONTROL_PAYLOAD_BYTES - 2

/**
 * @param reason at most {@link MAX_CLOSE_REASON_BYTES} bytes in UTF-8
 * @param mask four bytes for a frame that goes to a server; none for one that goes to a client
 */
export function closeFrame(code: number, reason: string, mask: Buffer | undefined): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  const header = [0x80 | Opcode.close, payload.length | (mask ? 0x80 : 0)]
  if (!mask) return Buffer.concat([Buffer.from(header), payload])
  return Buffer.concat([Buffer.from(header), mask, payload.map((byte, index) => byte ^ (mask[index & 3] ?? 0))])
}
