// Which WebSocket messages a fault is for: of which handshakes, of which kind, with which text.
import { Type, type Static } from '@sinclair/typebox'
import { FaultlineError } from '../../errors.ts'
import { compilePattern, patternSchema, type TextTest } from '../../pattern.ts'
import { describeValue, joinPath } from '../../validate.ts'
import { compileHttpMatch, httpMatchSchema } from '../http/match.ts'
import type { HttpRequest } from '../http/request.ts'
import { Opcode } from './frame-walker.ts'

/** Messages of this kind; `data` = text and binary. */
const opcodeSchema = Type.Union([
  Type.Literal('text'),
  Type.Literal('binary'),
  Type.Literal('ping'),
  Type.Literal('pong'),
  Type.Literal('close'),
  Type.Literal('data'),
])

type OpcodeName = Static<typeof opcodeSchema>

const { method, path, host, headers, query, cookies } = httpMatchSchema.properties

/** All parts that are given must hold. Those of HTTP are of the handshake's request. */
export const webSocketMatchSchema = Type.Object({
  method,
  path,
  host,
  headers,
  query,
  cookies,
  opcode: Type.Optional(
    Type.Union([opcodeSchema, Type.Array(opcodeSchema, { minItems: 1 })], {
      description: 'Kinds of messages; default data: text and binary.',
    }),
  ),
  text: Type.Optional(
    Type.Union(patternSchema.anyOf, {
      description: 'Somewhere in the first 64 KiB of a text message, which is held until then. Not if compressed.',
    }),
  ),
})

export type WebSocketMatchSpec = Static<typeof webSocketMatchSchema>

/** A match that has been compiled. */
export interface WebSocketMatch {
  /** What is known from the handshake's request. */
  handshake(request: HttpRequest): boolean
  /** Opcodes of the first frames of messages. */
  readonly opcodes: ReadonlySet<number>
  /** Present if text has to be looked at: then only text messages match. */
  readonly text: TextTest | undefined
}

/**
 * @param field the field that holds the match, for messages
 * @throws FaultlineError `invalid_value` naming the field that can't work
 */
export function compileWebSocketMatch(spec: WebSocketMatchSpec, field: string): WebSocketMatch {
  const { opcode = 'data', text, ...handshake } = spec
  const http = compileHttpMatch(handshake, 'request', field)
  const matches = (request: HttpRequest): boolean => http.request(request)
  const opcodes = new Set([opcode].flat().flatMap(opcodesOf))
  if (text === undefined) return { handshake: matches, opcodes, text: undefined }
  if (!opcodes.has(Opcode.text)) throw noText(joinPath(field, 'text'), opcode)
  return {
    handshake: matches,
    opcodes: new Set([Opcode.text]),
    text: compilePattern(text, 'contains', joinPath(field, 'text')),
  }
}

function opcodesOf(name: OpcodeName): readonly number[] {
  return name === 'data' ? [Opcode.text, Opcode.binary] : [Opcode[name]]
}

function noText(field: string, opcode: unknown): FaultlineError {
  const expected = `nothing with opcode ${describeValue(opcode)}, as only text messages have text`
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}
