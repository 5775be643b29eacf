// What servers offer for logging in by a password (PostgreSQL manual, "SASL Authentication").
import { Backend, HEADER_BYTES, message as build, MessageReader } from './wire.ts'

/** RFC 5802 section 4: mechanisms that bind a login to a TLS connection are named so. */
const WITH_CHANNEL_BINDING = /-PLUS$/

/** @param message AuthenticationSASL */
export function withoutChannelBinding(message: Buffer): Buffer {
  const kind = message.subarray(HEADER_BYTES, HEADER_BYTES + 4)
  const reader = new MessageReader(message, HEADER_BYTES + 4)
  const mechanisms: string[] = []
  for (let name = reader.string(); name !== ''; name = reader.string()) mechanisms.push(name)
  return build(Backend.authentication, kind, ...mechanisms.filter((name) => !WITH_CHANNEL_BINDING.test(name)), '')
}
