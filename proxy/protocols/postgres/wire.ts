// The messages of Postgres's protocol 3 as bytes (PostgreSQL manual, chapter "Frontend/Backend Protocol", section
// "Message Formats"): a type byte, a length that counts itself, a body. What both directions and their faults build with.

/** Type bytes of what clients send. */
export const Frontend = {
  bind: 0x42, // B
  close: 0x43, // C
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyFail: 0x66, // f
  describe: 0x44, // D
  execute: 0x45, // E
  flush: 0x48, // H
  functionCall: 0x46, // F
  parse: 0x50, // P
  password: 0x70, // p: also SASL and GSS answers
  query: 0x51, // Q
  sync: 0x53, // S
  terminate: 0x58, // X
} as const

/** Type bytes of what servers send. */
export const Backend = {
  authentication: 0x52, // R
  backendKeyData: 0x4b, // K
  bindComplete: 0x32, // 2
  closeComplete: 0x33, // 3
  commandComplete: 0x43, // C
  copyBoth: 0x57, // W
  copyData: 0x64, // d
  copyDone: 0x63, // c
  copyIn: 0x47, // G
  copyOut: 0x48, // H
  dataRow: 0x44, // D
  emptyQuery: 0x49, // I
  error: 0x45, // E
  functionResult: 0x56, // V
  negotiateVersion: 0x76, // v
  noData: 0x6e, // n
  notice: 0x4e, // N
  notification: 0x41, // A
  parameterDescription: 0x74, // t
  parameterStatus: 0x53, // S
  parseComplete: 0x31, // 1
  portalSuspended: 0x73, // s
  readyForQuery: 0x5a, // Z
  rowDescription: 0x54, // T
} as const

/** Codes in place of a protocol version, in the first message of a connection. */
export const StartupCode = { cancel: 80_877_102, ssl: 80_877_103, gss: 80_877_104 } as const

/** The answers to {@link StartupCode.ssl} and {@link StartupCode.gss}. */
export const TLS_ACCEPTED = 0x53
export const GSS_ACCEPTED = 0x47
export const ENCRYPTION_REFUSED = 0x4e

/** What Describe and Close are about, if it is no portal. */
export const STATEMENT = 0x53

/** Bytes of a typed message before its body. */
export const HEADER_BYTES = 5

const EMPTY = Buffer.alloc(0)

/** One message. Strings are sent with the zero byte that ends them. */
export function message(type: number, ...parts: readonly (string | Buffer)[]): Buffer {
  const bodies = parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part))
  const body = bodies.length === 1 ? (bodies[0] as Buffer) : Buffer.concat(bodies)
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + body.length)
  bytes[0] = type
  bytes.writeInt32BE(body.length + 4, 1)
  body.copy(bytes, HEADER_BYTES)
  return bytes
}

export function query(text: string, encoding: TextEncoding = 'utf8'): Buffer {
  return message(Frontend.query, Buffer.from(`${text}\0`, encoding))
}

/** Parse without types of parameters. */
export function parse(name: string, text: string): Buffer {
  return message(Frontend.parse, name, text, Buffer.alloc(2))
}

/** Bind without parameters, all results as text. */
export function bind(portal: string, statement: string): Buffer {
  return message(Frontend.bind, portal, statement, Buffer.alloc(6))
}

/** @param maxRows 0 = all */
export function execute(portal: string, maxRows = 0): Buffer {
  return message(Frontend.execute, portal, int32(maxRows))
}

export function describe(what: 'statement' | 'portal', name: string): Buffer {
  return message(Frontend.describe, Buffer.from(what === 'statement' ? 'S' : 'P'), name)
}

export function closeStatement(name: string): Buffer {
  return message(Frontend.close, Buffer.from('S'), name)
}

export function copyFail(reason: string): Buffer {
  return message(Frontend.copyFail, reason)
}

/** A call of a function without arguments. */
export function functionCall(oid: number): Buffer {
  return message(Frontend.functionCall, uint32(oid), Buffer.alloc(6))
}

export const SYNC = message(Frontend.sync, EMPTY)

export const SSL_REQUEST = Buffer.concat([int32(8), int32(StartupCode.ssl)])

function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

// ---- reading -------------------------------------------------------------------------------------------------------

/** UTF-8 unless the bytes are not: then a character a byte, which brings any encoding back as it was. */
export type TextEncoding = 'utf8' | 'latin1'

export interface Text {
  readonly text: string
  readonly encoding: TextEncoding
}

/** Reads what a message is made of, one part after another. Behind the end of the message everything is empty or 0. */
export class MessageReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = HEADER_BYTES) {
    this.#bytes = bytes
    this.#at = at
  }

  /** What has not been read. */
  get left(): number {
    return Math.max(0, this.#bytes.length - this.#at)
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0
  }

  int16(): number {
    this.#at += 2
    return this.#at <= this.#bytes.length ? this.#bytes.readInt16BE(this.#at - 2) : 0
  }

  int32(): number {
    this.#at += 4
    return this.#at <= this.#bytes.length ? this.#bytes.readInt32BE(this.#at - 4) : 0
  }

  /** A string up to its zero byte. */
  string(): string {
    return this.text().text
  }

  text(): Text {
    const bytes = this.#bytes
    const from = Math.min(this.#at, bytes.length)
    const zero = bytes.indexOf(0, from)
    const to = zero < 0 ? bytes.length : zero
    this.#at = to + 1
    const text = bytes.toString('utf8', from, to)
    if (!text.includes('\uFFFD')) return { text, encoding: 'utf8' }
    return { text: bytes.toString('latin1', from, to), encoding: 'latin1' }
  }

  bytes(length: number): Buffer {
    const from = Math.min(this.#at, this.#bytes.length)
    this.#at = from + Math.max(0, length)
    return this.#bytes.subarray(from, Math.min(this.#at, this.#bytes.length))
  }
}
