// What a client says first (PostgreSQL manual, "Message Formats": StartupMessage, CancelRequest, SSLRequest, GSSENCRequest).
import type { PostgresConnection } from '../../faults/postgres/postgres-fault.ts'
import { MessageReader, StartupCode } from './wire.ts'

/** Servers take no more (MAX_STARTUP_PACKET_LENGTH). */
export const MAX_STARTUP_BYTES = 10_000

export type Startup =
  | { readonly kind: 'ssl' | 'gss' }
  | { readonly kind: 'cancel'; readonly key: string }
  | { readonly kind: 'start'; readonly connection: PostgresConnection; readonly replicates: boolean }
  | { readonly kind: 'unknown'; readonly reason: string }

/** @param message with its length, without a type */
export function readStartup(message: Buffer): Startup {
  if (message.length < 8) return { kind: 'unknown', reason: 'a first message that is too short' }
  const reader = new MessageReader(message, 4)
  const code = reader.int32()
  if (code === StartupCode.ssl) return { kind: 'ssl' }
  if (code === StartupCode.gss) return { kind: 'gss' }
  if (code === StartupCode.cancel) return { kind: 'cancel', key: cancelKey(message.subarray(8)) }
  const major = code >>> 16
  if (major !== 3) return { kind: 'unknown', reason: `version ${major}.${code & 0xffff} of the protocol` }
  const parameters = new Map<string, string>()
  for (let name = reader.string(); name !== ''; name = reader.string()) parameters.set(name, reader.string())
  const user = parameters.get('user') ?? ''
  return {
    kind: 'start',
    connection: {
      user,
      database: parameters.get('database') ?? user,
      applicationName: parameters.get('application_name') ?? '',
    },
    // With `database`, for logical replication, the connection understands SQL, too.
    replicates: !/^(?:false|off|no|0|database)$/i.test(parameters.get('replication') ?? 'false'),
  }
}

/**
 * A connection's cancel key as text.
 *
 * @param bytes process id and secret, as in BackendKeyData: 4 bytes each, the secret up to 256 bytes with protocol 3.2
 */
export function cancelKey(bytes: Buffer): string {
  return bytes.toString('hex')
}
