// What a client says to Postgres, as bytes: PostgreSQL documentation, chapter 54.7 (Message Formats). One function a
// message; nothing is checked, so that tests can say what no library would.

const PROTOCOL_3_0 = 0x0003_0000
const SSL_REQUEST = 80_877_103
const GSSENC_REQUEST = 80_877_104
const CANCEL_REQUEST = 80_877_102

/** A value as text, as bytes (binary format), or null. */
export type Value = string | number | Buffer | null

/** `S`: prepared statement, `P`: portal. */
export type Named = 'S' | 'P'

/** @param version e.g. `0x0003_0002` for 3.2 */
export function startup(parameters: Readonly<Record<string, string>>, version = PROTOCOL_3_0): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [text(name), text(value)])
  return untyped(int32(version), ...pairs, Buffer.of(0))
}

export function sslRequest(): Buffer {
  return untyped(int32(SSL_REQUEST))
}

export function gssEncRequest(): Buffer {
  return untyped(int32(GSSENC_REQUEST))
}

/** @param key as in BackendKeyData: 4 bytes in protocol 3.0, up to 256 in 3.2 */
export function cancelRequest(processId: number, key: Buffer): Buffer {
  return untyped(int32(CANCEL_REQUEST), int32(processId), key)
}

export function query(sql: string): Buffer {
  return message('Q', text(sql))
}

/** @param types OIDs of parameters; 0 leaves one to the server */
export function parse(sql: string, name = '', types: readonly number[] = []): Buffer {
  return message('P', text(name), text(sql), int16(types.length), ...types.map(int32))
}

export function bind(values: readonly Value[] = [], statement = '', portal = ''): Buffer {
  const formats = values.map((value) => int16(Buffer.isBuffer(value) ? 1 : 0))
  const parameters = values.flatMap((value) => {
    if (value === null) return [int32(-1)]
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
    return [int32(bytes.length), bytes]
  })
  const counted = [int16(formats.length), ...formats, int16(values.length), ...parameters]
  return message('B', text(portal), text(statement), ...counted, int16(0))
}

export function describe(kind: Named = 'P', name = ''): Buffer {
  return message('D', Buffer.from(kind), text(name))
}

/** @param rows at most; 0: all */
export function execute(rows = 0, portal = ''): Buffer {
  return message('E', text(portal), int32(rows))
}

export function close(kind: Named, name = ''): Buffer {
  return message('C', Buffer.from(kind), text(name))
}

export function sync(): Buffer {
  return message('S')
}

export function flush(): Buffer {
  return message('H')
}

export function copyData(chunk: string | Buffer): Buffer {
  return message('d', Buffer.from(chunk))
}

export function copyDone(): Buffer {
  return message('c')
}

export function copyFail(reason: string): Buffer {
  return message('f', text(reason))
}

/** Text arguments, text result. @param oid of the function */
export function functionCall(oid: number, values: readonly string[] = []): Buffer {
  const parameters = values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)])
  return message('F', int32(oid), int16(0), int16(values.length), ...parameters, int16(0))
}

/** PasswordMessage, in clear text. */
export function password(secret: string): Buffer {
  return message('p', text(secret))
}

export function saslInitialResponse(mechanism: string, response: string): Buffer {
  return message('p', text(mechanism), int32(Buffer.byteLength(response)), Buffer.from(response))
}

export function saslResponse(response: string): Buffer {
  return message('p', Buffer.from(response))
}

export function terminate(): Buffer {
  return message('X')
}

/** Any message with a type. */
export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(type), untyped(...parts)])
}

/** The length counts itself, but not the type. */
function untyped(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length + 4), body])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  // OIDs are unsigned, -1 is NULL.
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}
