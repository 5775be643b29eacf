// Which requests and answers a fault is for.
import { Type, type Static } from '@sinclair/typebox'
import { FaultlineError } from '../../errors.ts'
import { compilePattern, patternSchema, type Pattern, type PatternStyle, type TextTest } from '../../pattern.ts'
import { describeValue, joinPath } from '../../validate.ts'
import type { HttpHead } from './head.ts'
import type { HttpRequest } from './request.ts'

const patterns = (description: string) =>
  Type.Record(Type.String(), Type.Union([patternSchema, Type.Boolean()]), {
    description: `${description} By name; true = is there, false = is not.`,
  })

const statusSchema = Type.Union([
  Type.Integer({ minimum: 100, maximum: 999 }),
  Type.String({ pattern: '^[1-9]xx$', description: 'A class, e.g. 5xx.' }),
])

const oneOrMore = <Schema extends typeof statusSchema | ReturnType<typeof Type.String>>(schema: Schema) =>
  Type.Union([schema, Type.Array(schema, { minItems: 1 })])

/** All parts that are given must hold. */
export const httpMatchSchema = Type.Object({
  method: Type.Optional(oneOrMore(Type.String({ minLength: 1, description: 'In any case.' }))),
  path: Type.Optional(patternSchema),
  host: Type.Optional(patternSchema),
  headers: Type.Optional(patterns('Headers of the request.')),
  query: Type.Optional(patterns('Parameters of the query.')),
  cookies: Type.Optional(patterns('Cookies of the request.')),
  body: Type.Optional(
    Type.Union(patternSchema.anyOf, {
      description: 'A part of the body, where * is a star; {exact} or {glob} of all of it; {regex, flags}.',
    }),
  ),
  contentType: Type.Optional(patternSchema),
  status: Type.Optional(oneOrMore(statusSchema)),
})

type Strings<Part> = Part extends Record<string, unknown> ? Record<string, Pattern | boolean> : Part

/** As {@link httpMatchSchema} says; programs may also give a RegExp where it wants a pattern. */
export interface HttpMatchSpec extends Omit<
  Static<typeof httpMatchSchema>,
  'path' | 'host' | 'headers' | 'query' | 'cookies' | 'body' | 'contentType'
> {
  /** Without the query, as sent: nothing is decoded. */
  readonly path?: Pattern
  /** With or without the port. */
  readonly host?: Pattern
  readonly headers?: Strings<Record<string, unknown>>
  readonly query?: Strings<Record<string, unknown>>
  readonly cookies?: Strings<Record<string, unknown>>
  /** Of the message that the fault disturbs: a substring or regular expression within the first 64 KiB, decoded. */
  readonly body?: Pattern
  /** Of the message that the fault disturbs, without parameters. */
  readonly contentType?: Pattern
}

/** A match that has been compiled. */
export interface HttpMatch {
  /** What is known from the request's head. */
  request(request: HttpRequest): boolean
  /** What is known from the head of the message that the fault disturbs. */
  message(head: HttpHead): boolean
  /** Present if content has to be looked at. */
  readonly body: TextTest | undefined
}

type RequestTest = (request: HttpRequest) => boolean
type HeadTest = (head: HttpHead) => boolean

/**
 * @param field the field that holds the match, for messages
 * @throws FaultlineError `invalid_value` naming the field that can't work
 */
export function compileHttpMatch(spec: HttpMatchSpec, phase: 'request' | 'response', field: string): HttpMatch {
  const requestTests: RequestTest[] = []
  const messageTests: HeadTest[] = []
  const text = (part: 'path' | 'host' | 'body' | 'contentType', style: PatternStyle): TextTest | undefined => {
    const pattern = spec[part]
    return pattern === undefined ? undefined : compilePattern(pattern, style, joinPath(field, part))
  }

  // The cheap tests that fail most often come first.
  if (spec.method !== undefined) requestTests.push(methodTest(spec.method))
  const path = text('path', 'path')
  if (path) requestTests.push((request) => path(request.path))
  const host = text('host', 'caseless')
  if (host) requestTests.push((request) => host(request.host) || host(request.hostname))
  for (const part of ['headers', 'query', 'cookies'] as const) {
    for (const [name, pattern] of Object.entries(spec[part] ?? {})) {
      if (part === 'headers') checkHeaderName(name, joinPath(field, part))
      requestTests.push(valueTest(part, name, pattern, joinPath(field, part, name)))
    }
  }

  if (spec.status !== undefined) {
    if (phase === 'request') throw onlyOfAnswers(joinPath(field, 'status'))
    messageTests.push(statusTest(spec.status))
  }
  const contentType = text('contentType', 'caseless')
  if (contentType) messageTests.push((head) => contentType(mediaType(head.header('content-type') ?? '')))

  return {
    request: (request) => requestTests.every((test) => test(request)),
    message: (head) => messageTests.every((test) => test(head)),
    body: text('body', 'contains'),
  }
}

function methodTest(method: string | readonly string[]): RequestTest {
  const methods = new Set([method].flat().map((name) => name.toUpperCase()))
  return (request) => methods.has(request.method)
}

function valueTest(
  part: 'headers' | 'query' | 'cookies',
  name: string,
  pattern: Pattern | boolean,
  field: string,
): RequestTest {
  const values = (request: HttpRequest): readonly string[] => {
    if (part === 'headers') return request.head.headers(name)
    return part === 'query' ? request.query.getAll(name) : request.cookie(name)
  }
  if (typeof pattern === 'boolean') return (request) => values(request).length > 0 === pattern
  const test = compilePattern(pattern, 'text', field)
  return (request) => values(request).some(test)
}

function statusTest(status: number | string | readonly (number | string)[]): HeadTest {
  const wanted = new Set([status].flat())
  return (head) => wanted.has(head.status) || wanted.has(`${Math.floor(head.status / 100)}xx`)
}

function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(';')
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

/** A name that no header can have would never match. */
function checkHeaderName(name: string, field: string): void {
  if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) return
  const expected = 'names of headers'
  const message = `${field}: expected ${expected}, got ${describeValue(name)}`
  throw new FaultlineError('invalid_value', message, { field, expected })
}

function onlyOfAnswers(field: string): FaultlineError {
  const expected = 'nothing, as this fault acts before there is an answer'
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}
