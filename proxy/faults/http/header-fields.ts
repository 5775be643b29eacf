// Headers as attributes: what may go into a head without breaking it.
import { Type as Schema } from '@sinclair/typebox'
import { FIELD_TEXT } from './fields.ts'
import { invalidField, type FaultEnvironment } from './http-fault.ts'

/** `{ 'Set-Cookie': ['a=1', 'b=2'] }`: a header, or several of the same name. */
export type HeaderValues = Readonly<Record<string, string | readonly string[]>>

export type HeaderLine = readonly [name: string, value: string]

export function headersField(description: string) {
  return Schema.Record(Schema.String(), Schema.Union([Schema.String(), Schema.Array(Schema.String())]), {
    default: {},
    description: `${description} A list stands for several headers of the same name.`,
  })
}

/**
 * The lines for an attribute with headers.
 *
 * @param name the attribute
 * @throws FaultlineError naming the header that would break the head, or the body's framing
 */
export function readHeaders(headers: HeaderValues, name: string, environment: FaultEnvironment): HeaderLine[] {
  return Object.entries(headers).flatMap(([header, given]) => {
    const field = environment.field(`${name}.${header}`)
    checkHeaderName(header, field)
    return [given].flat().map((value): HeaderLine => {
      if (FIELD_TEXT.test(value)) return [header, value]
      throw invalidField(field, 'characters of Latin-1 without line ends and other controls', value)
    })
  })
}

/** A token (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const FRAMING = new Set(['content-length', 'transfer-encoding'])

/** @throws FaultlineError for a name that would break the head, or the body's framing */
export function checkHeaderName(header: string, field: string): void {
  if (!TOKEN.test(header)) throw invalidField(field, "a header's name: letters, digits and !#$%&'*+-.^_`|~", header)
  if (!FRAMING.has(header.toLowerCase())) return
  const expected = 'a header that does not say where the body ends (http_malformed and http_truncate break that)'
  throw invalidField(field, expected, header)
}
