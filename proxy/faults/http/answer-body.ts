// The body of an answer of the proxy's own, as an attribute.
import { Type as Schema } from '@sinclair/typebox'
import { invalidField, type FaultEnvironment } from './http-fault.ts'
import type { HeaderLine } from './header-fields.ts'

export const bodyField = Schema.Optional(
  Schema.Unknown({
    description: 'The body: a text (sent as text/plain, unless headers say otherwise), or any other JSON value.',
  }),
)

export interface AnswerBody {
  readonly content: Buffer
  /** Undefined if it can't be known. */
  readonly contentType?: string
}

/** @throws FaultlineError if it is nothing that JSON can hold */
export function readBody(body: unknown, environment: FaultEnvironment): AnswerBody {
  if (body === undefined) return { content: Buffer.alloc(0) }
  if (typeof body === 'string') return { content: Buffer.from(body), contentType: 'text/plain; charset=utf-8' }
  const text = toJson(body)
  if (text === undefined) throw invalidField(environment.field('body'), 'a text or a JSON value', typeof body)
  return { content: Buffer.from(text), contentType: 'application/json' }
}

/** The headers with the body's Content-Type, unless they have one. */
export function withContentType(headers: readonly HeaderLine[], { contentType }: AnswerBody): readonly HeaderLine[] {
  const given = headers.some(([name]) => name.toLowerCase() === 'content-type')
  return given || contentType === undefined ? headers : [...headers, ['Content-Type', contentType]]
}

/** Statuses whose answers have no content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
export function hasNoContent(status: number): boolean {
  return status === 204 || status === 205 || status === 304
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined // only programs can give such a value: a circular one, a BigInt
  }
}
