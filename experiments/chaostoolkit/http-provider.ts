// Provider `http`: what is to be asked of a server (chaoslib/provider/http.py, which uses requests).
import { Type } from '@sinclair/typebox'
import { isObject, type Fields } from '../../admin/config/mistakes.ts'
import { invalidField } from '../probes/invalid.ts'
import { asPythonText } from './values.ts'

const free = { additionalProperties: true }
const seconds = Type.Number({ exclusiveMinimum: 0, expected: 'a number of seconds above 0' })

export const httpSchema = Type.Object({
  type: Type.Literal('http'),
  url: Type.String({ minLength: 1 }),
  method: Type.Optional(Type.String({ minLength: 1 })),
  headers: Type.Optional(Type.Object({}, free)),
  arguments: Type.Optional(
    Type.Union([Type.Object({}, free), Type.Array(Type.Unknown()), Type.String()], {
      description: 'The query of GET, the body of others.',
    }),
  ),
  timeout: Type.Optional(
    Type.Union([seconds, Type.Tuple([seconds, seconds])], {
      expected: 'a number of seconds above 0, or two of them: to connect, and to answer',
    }),
  ),
  verify_tls: Type.Optional(Type.Boolean()),
  max_retries: Type.Optional(Type.Integer({ minimum: 0 })),
  secrets: Type.Optional(Type.Unknown()),
})

export interface HttpCall {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  /** In milliseconds; 0 = without end. */
  readonly connectTimeoutMs: number
  /** Until the first byte of the answer, and between two. */
  readonly answerTimeoutMs: number
  readonly verifyTls: boolean
  /** How often more a connection is tried to be made. */
  readonly retries: number
}

export const JSON_TYPE = 'application/json'

/**
 * @param provider with its values filled in, and of {@link httpSchema}
 * @param shownUrl the URL without them, for messages: they may be secrets
 * @throws FaultlineError naming the field
 */
export function prepareHttp(provider: Fields, shownUrl: unknown): HttpCall {
  const url = readUrl(provider['url'], shownUrl)
  const method = ((provider['method'] as string | undefined) ?? 'GET').toUpperCase()
  const headers = { ...basicAuthentication(url), ...readHeaders(provider['headers']) }
  const given = provider['arguments']
  let body: string | undefined
  if (method === 'GET') addQuery(url, given)
  else if (given !== undefined) body = writeBody(given, headers)
  const [connect, answer] = readTimeout(provider['timeout'])
  return {
    url,
    method,
    headers,
    body,
    connectTimeoutMs: connect,
    answerTimeoutMs: answer,
    verifyTls: provider['verify_tls'] !== false,
    retries: (provider['max_retries'] as number | undefined) ?? 0,
  }
}

/** To connect, and to answer, in milliseconds; undici has 0 for no end. */
function readTimeout(given: unknown): readonly [number, number] {
  const [connect = 0, answer = connect] = (Array.isArray(given) ? given : [given]) as readonly (number | undefined)[]
  return [connect * 1000, answer * 1000]
}

function readUrl(given: unknown, shown: unknown): URL {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw invalidField('url', 'a URL that begins with http:// or https://', shown)
}

function readHeaders(given: unknown): Record<string, string> {
  const headers: Record<string, string> = { accept: '*/*' }
  for (const [name, value] of Object.entries(isObject(given) ? given : {})) {
    if (value !== null) headers[name.toLowerCase()] = asPythonText(value)
  }
  return headers
}

/** RFC 7617. */
function basicAuthentication({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

function addQuery(url: URL, given: unknown): void {
  if (typeof given === 'string') url.search += (url.search === '' ? '?' : '&') + given
  for (const [name, value] of pairsOf(given)) url.searchParams.append(name, value)
}

function writeBody(given: unknown, headers: Record<string, string>): string {
  const isJson = headers['content-type']?.split(';')[0]?.trim().toLowerCase() === JSON_TYPE
  if (isJson) return JSON.stringify(given)
  if (typeof given === 'string') return given
  headers['content-type'] ??= 'application/x-www-form-urlencoded'
  return new URLSearchParams(pairsOf(given)).toString()
}

/** As requests encodes them: a list is its items under one name, and what is null is left out. */
function pairsOf(given: unknown): [string, string][] {
  const entries = Array.isArray(given) ? (given as [string, unknown][]) : Object.entries(isObject(given) ? given : {})
  return entries.flatMap(([name, value]) =>
    [value].flat().flatMap((item): [string, string][] => (item === null ? [] : [[name, asPythonText(item)]])),
  )
}
