// What Postgres says, read from bytes and said in a line each: PostgreSQL documentation, chapter 54.7.

export interface BackendMessage {
  /** The type byte, as a letter. */
  readonly type: string
  /** E.g. `ReadyForQuery`. */
  readonly name: string
  /** What it says, as far as it is the same in every run: `40001 ERROR could not …`, `T`, `1,abc`. */
  readonly summary: string
  /** Of ErrorResponse and NoticeResponse, by name: `code`, `message`, `routine` … Empty for all others. */
  readonly fields: Readonly<Record<string, string>>
  /** The whole message, type and length included. */
  readonly bytes: Buffer
}

/** PostgreSQL documentation, chapter 54.8 (Error and Notice Message Fields). */
const FIELD_NAMES: Readonly<Record<string, string>> = {
  S: 'severity',
  V: 'severityUntranslated',
  C: 'code',
  M: 'message',
  D: 'detail',
  H: 'hint',
  P: 'position',
  p: 'internalPosition',
  q: 'internalQuery',
  W: 'where',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'dataType',
  n: 'constraint',
  F: 'file',
  L: 'line',
  R: 'routine',
}

const AUTHENTICATION: Readonly<Record<number, string>> = {
  0: 'Ok',
  3: 'CleartextPassword',
  5: 'MD5Password',
  10: 'SASL',
  11: 'SASLContinue',
  12: 'SASLFinal',
}

interface Kind {
  readonly name: string
  readonly summary?: (body: Reader) => string
}

const KINDS: Readonly<Record<string, Kind>> = {
  1: { name: 'ParseComplete' },
  2: { name: 'BindComplete' },
  3: { name: 'CloseComplete' },
  A: { name: 'NotificationResponse', summary: notification },
  c: { name: 'CopyDone' },
  C: { name: 'CommandComplete', summary: (body) => body.text() },
  d: { name: 'CopyData', summary: (body) => JSON.stringify(body.rest()) },
  D: { name: 'DataRow', summary: dataRow },
  E: { name: 'ErrorResponse', summary: problem },
  G: { name: 'CopyInResponse', summary: copyResponse },
  H: { name: 'CopyOutResponse', summary: copyResponse },
  I: { name: 'EmptyQueryResponse' },
  K: { name: 'BackendKeyData', summary: (body) => `${body.left - 4}-byte key` },
  n: { name: 'NoData' },
  N: { name: 'NoticeResponse', summary: problem },
  R: { name: 'Authentication', summary: authentication },
  s: { name: 'PortalSuspended' },
  S: { name: 'ParameterStatus', summary: (body) => `${body.text()}=${body.text()}` },
  t: { name: 'ParameterDescription', summary: (body) => list(body.int16(), () => body.int32()) },
  T: { name: 'RowDescription', summary: rowDescription },
  v: { name: 'NegotiateProtocolVersion', summary: negotiation },
  V: { name: 'FunctionCallResponse', summary: (body) => body.value() },
  W: { name: 'CopyBothResponse', summary: copyResponse },
  Z: { name: 'ReadyForQuery', summary: (body) => body.rest() },
}

/** The whole messages at the beginning of `bytes`; what is left behind them is the beginning of another. */
export function readMessages(bytes: Buffer): { messages: BackendMessage[]; left: Buffer } {
  const messages: BackendMessage[] = []
  let start = 0
  while (bytes.length - start >= 5) {
    const end = start + 1 + bytes.readUInt32BE(start + 1)
    if (bytes.length < end) break
    messages.push(readMessage(bytes.subarray(start, end)))
    start = end
  }
  return { messages, left: bytes.subarray(start) }
}

/** A line a message: `E 40001 ERROR could not…`, `Z T`, `D 1,abc`, `C INSERT 0 1`, `2`. */
export function transcript(messages: readonly BackendMessage[]): string[] {
  return messages.map(({ type, summary }) => `${type} ${summary}`.trimEnd())
}

/**
 * What has to be the same through a proxy that answers with another error: the types in order, the code of errors and
 * the status of ReadyForQuery. `T D D E(40001) Z(E)`.
 */
export function shape(messages: readonly BackendMessage[]): string {
  return messages
    .map(({ type, fields, summary }) => {
      if (type === 'E' || type === 'N') return `${type}(${fields['code']})`
      return type === 'Z' ? `Z(${summary})` : type
    })
    .join(' ')
}

function readMessage(bytes: Buffer): BackendMessage {
  const type = bytes.toString('latin1', 0, 1)
  const kind = KINDS[type]
  const body = bytes.subarray(5)
  return {
    type,
    name: kind?.name ?? 'unknown',
    summary: kind?.summary?.(new Reader(body)) ?? '',
    fields: type === 'E' || type === 'N' ? problemFields(new Reader(body)) : {},
    bytes,
  }
}

function problemFields(body: Reader): Record<string, string> {
  const fields: Record<string, string> = {}
  for (let letter = body.letter(); letter !== '\0'; letter = body.letter()) {
    fields[FIELD_NAMES[letter] ?? letter] = body.text()
  }
  return fields
}

function problem(body: Reader): string {
  const { code, severity, message } = problemFields(body)
  return `${code} ${severity} ${message}`
}

function dataRow(body: Reader): string {
  return list(body.int16(), () => body.value())
}

function rowDescription(body: Reader): string {
  return list(body.int16(), () => {
    const name = body.text()
    // Table, column, type, size, modifier and format.
    body.skip(18)
    return name
  })
}

function copyResponse(body: Reader): string {
  return `${body.letter() === '\0' ? 'text' : 'binary'}, ${body.int16()} columns`
}

function authentication(body: Reader): string {
  const code = body.int32()
  const name = AUTHENTICATION[code] ?? String(code)
  return code === 10 ? `${name} ${body.text()}` : name
}

function notification(body: Reader): string {
  body.skip(4)
  return `${body.text()} ${body.text()}`
}

function negotiation(body: Reader): string {
  const version = body.int32()
  return `${version >>> 16}.${version & 0xffff} ${list(body.int32(), () => body.text())}`
}

function list(count: number, next: () => string | number): string {
  return Array.from({ length: count }, next).join(',')
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  letter(): string {
    this.#at += 1
    return this.#bytes.toString('latin1', this.#at - 1, this.#at)
  }

  /** A string that ends with a zero byte. */
  text(): string {
    const start = this.#at
    const end = this.#bytes.indexOf(0, start)
    this.#at = end + 1
    return this.#bytes.toString('utf8', start, end)
  }

  /** A value with its length in front. */
  value(): string {
    const length = this.int32()
    if (length < 0) return 'NULL'
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  rest(): string {
    return this.#bytes.toString('utf8', this.#at)
  }
}
