// ErrorResponse and NoticeResponse as values: their fields to bytes and back (PostgreSQL manual, chapter
// "Frontend/Backend Protocol", section "Error and Notice Message Fields").
import { Backend, HEADER_BYTES, message, MessageReader } from './wire.ts'

const severities = ['ERROR', 'FATAL', 'PANIC', 'WARNING', 'NOTICE', 'DEBUG', 'INFO', 'LOG'] as const

/** FATAL and PANIC end the connection. */
export type PgSeverity = (typeof severities)[number]

/** What a server says of an error or a notice. Numbers are text, as they are sent. */
export interface PgErrorFields {
  readonly severity: PgSeverity
  /** In the language of the server's messages, e.g. `FEHLER`. Default: as `severity`. */
  readonly localizedSeverity?: string
  /** SQLSTATE, five characters. */
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** In characters of the query, from 1. */
  readonly position?: string
  /** As `position`, in `internalQuery`. */
  readonly internalPosition?: string
  /** A query that a function or the server itself made. */
  readonly internalQuery?: string
  /** Call stack of functions in the server. */
  readonly where?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly dataType?: string
  readonly constraint?: string
  /** Where in the server's source it comes from. */
  readonly file?: string
  readonly line?: string
  /** The function in the server's source; some drivers decide by it whether to try again. */
  readonly routine?: string
}

type FieldName = Exclude<keyof PgErrorFields, 'severity' | 'localizedSeverity'>

/** Behind the severity, in the order in which servers send them. */
const fieldCodes: readonly (readonly [code: string, name: FieldName])[] = [
  ['C', 'code'],
  ['M', 'message'],
  ['D', 'detail'],
  ['H', 'hint'],
  ['W', 'where'],
  ['s', 'schema'],
  ['t', 'table'],
  ['c', 'column'],
  ['d', 'dataType'],
  ['n', 'constraint'],
  ['P', 'position'],
  ['p', 'internalPosition'],
  ['q', 'internalQuery'],
  ['F', 'file'],
  ['L', 'line'],
  ['R', 'routine'],
]

const nameOf = new Map<string, FieldName>(fieldCodes)

/** So much of a value is read. A call stack may be longer; what stands behind it is read all the same. */
const MAX_VALUE_BYTES = 65_536

/** Servers send each field once at most, and there are 18. */
const MAX_FIELDS = 64

/** A whole ErrorResponse, in UTF-8. Zero bytes in values, which can't be sent, are left out. */
export function encodeError(fields: PgErrorFields): Buffer {
  return encode(Backend.error, fields)
}

/** A whole NoticeResponse: as {@link encodeError}, but the client goes on. */
export function encodeNotice(fields: PgErrorFields): Buffer {
  return encode(Backend.notice, fields)
}

function encode(type: number, fields: PgErrorFields): Buffer {
  const parts = [`S${fields.localizedSeverity ?? fields.severity}`, `V${fields.severity}`]
  for (const [code, name] of fieldCodes) {
    const value = fields[name]
    if (value !== undefined) parts.push(code + value)
  }
  // An empty string is the zero byte behind the last field.
  return message(type, ...parts.map((part) => part.replaceAll('\0', '')), '')
}

/**
 * Reads an ErrorResponse or NoticeResponse, given with its header, whatever is in it: unknown fields are left out, of
 * those that are missing or cut off there is what there is. Never throws. Of each value 64 KB are read at most, and 64
 * fields. Text that is not UTF-8 is read as Latin-1.
 */
export function decodeError(bytes: Buffer): PgErrorFields {
  const length = bytes.length >= HEADER_BYTES ? bytes.readUInt32BE(1) + 1 : 0
  const said = bytes.subarray(0, length)
  const values: Partial<Record<FieldName, string>> = {}
  let nonlocalized: string | undefined
  let localized: string | undefined
  let at = HEADER_BYTES
  for (let count = 0; count < MAX_FIELDS && at < said.length && said[at] !== 0; count++) {
    const code = said.toString('latin1', at, at + 1)
    const zero = said.indexOf(0, at + 1)
    const end = zero < 0 ? said.length : zero
    const value = new MessageReader(said.subarray(at + 1, lastCharacter(said, at + 1, end)), 0).string()
    if (code === 'V') nonlocalized = value
    else if (code === 'S') localized = value
    const name = nameOf.get(code)
    if (name) values[name] = value
    at = end + 1
  }
  const severity = severityOf(nonlocalized) ?? severityOf(localized) ?? 'ERROR'
  return {
    severity,
    ...(localized !== undefined && localized !== severity && { localizedSeverity: localized }),
    code: 'XX000',
    message: '',
    ...values,
  }
}

/** The end of what is read of a value: not within a character, or the text before it would not be UTF-8. */
function lastCharacter(bytes: Buffer, from: number, end: number): number {
  const limit = from + MAX_VALUE_BYTES
  if (end <= limit) return end
  let cut = limit
  while (cut > limit - 3 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--
  return cut
}

/** Servers before 9.6 have no severity that is the same in all languages: of some it stays unknown. */
function severityOf(word: string | undefined): PgSeverity | undefined {
  const upper = word?.toUpperCase() ?? ''
  return severities.find((severity) => severity === upper)
}
