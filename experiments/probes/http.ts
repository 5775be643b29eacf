// Asks an HTTP server once and looks at status, headers and body. Redirects are not followed: they are answers.
import type { Clock } from '../../proxy/clock.ts'
import type { Pattern } from '../../proxy/pattern.ts'
import { joinPath } from '../../proxy/validate.ts'
import { BoundedProbe } from './bounded-probe.ts'
import { compileAll, compileMatch, compileText, type Check, type JsonPathExpectation } from './expectations.ts'
import { AnswerTooLarge } from './failure.ts'
import { HttpConnections, type TlsOptions } from './http-connections.ts'
import { invalidField } from './invalid.ts'
import { MAX_ANSWER_BYTES, type Observed, type Probe, type ProbeSettings } from './probe.ts'

export interface HttpExpectation {
  /** `any` also takes 500. Default: 200 to 299. */
  readonly status?: readonly number[] | 'any'
  /** By name, in any case. A plain text may be anywhere in the value. */
  readonly headers?: Readonly<Record<string, Pattern>>
  /** A plain text may be anywhere in the body; `/…/` is a regular expression of RE2's syntax. */
  readonly bodyMatches?: Pattern
  readonly jsonPath?: JsonPathExpectation | readonly JsonPathExpectation[]
}

export interface HttpProbeSpec extends ProbeSettings {
  readonly kind: 'http'
  /** `http:` or `https:`. A user and password in it are sent as basic authentication. */
  readonly url: string
  /** Default GET. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly tls?: TlsOptions
  /** `kept`: as most clients do. `fresh`: each run connects anew. Default kept. */
  readonly connections?: 'kept' | 'fresh'
  readonly expect?: HttpExpectation
}

export type HttpAnswer = Extract<Observed, { kind: 'http' }>

/** @throws FaultlineError `invalid_value` naming the field */
export function createHttpProbe(spec: HttpProbeSpec, clock: Clock): Probe {
  const client = new HttpClient(spec)
  const check = compileHttp(spec.expect ?? {})
  return new BoundedProbe(spec, clock, {
    async look(signal) {
      const observed = await client.ask(client.path, signal)
      const found = check(observed)
      return { ...found, good: found.reason === undefined, observed }
    },
    close: () => client.close(),
  })
}

/** One server, one way to ask it. */
export class HttpClient {
  /** Path and query of the URL. */
  readonly path: string
  readonly #method: string
  readonly #headers: Record<string, string>
  readonly #body: string | undefined
  readonly #connections: HttpConnections

  /** @throws FaultlineError `invalid_value` naming the field */
  constructor(spec: Omit<HttpProbeSpec, 'kind' | 'expect'>) {
    const url = parseUrl(spec.url)
    this.path = url.pathname + url.search
    this.#method = parseMethod(spec.method ?? 'GET')
    this.#headers = { ...basicAuthentication(url), ...spec.headers }
    this.#body = spec.body
    this.#connections = new HttpConnections(url.origin, spec.connections ?? 'kept', spec.tls)
  }

  /** @throws whatever the network does; {@link AnswerTooLarge} */
  ask(path: string, signal: AbortSignal): Promise<HttpAnswer> {
    return this.#connections.use(signal, async (client, reset) => {
      const answer = await client.request({
        path,
        method: this.#method,
        headers: this.#headers,
        body: this.#body ?? null,
        reset,
      })
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) throw new AnswerTooLarge()
        chunks.push(chunk)
      }
      const headers = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')])
      const body = Buffer.concat(chunks).toString()
      return { kind: 'http', status: answer.statusCode, headers: Object.fromEntries(headers), body }
    })
  }

  close(): Promise<void> {
    return this.#connections.close()
  }
}

/** @throws FaultlineError `invalid_value` naming `url` */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw invalidField('url', 'a URL that begins with http:// or https://', text)
}

function parseMethod(method: string): string {
  // RFC 9110 section 5.6.2, token
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(method) && method !== 'CONNECT') return method
  throw invalidField('method', 'a method such as GET or POST', method)
}

/** RFC 7617: a header, if the URL has a user or a password. */
export function basicAuthentication({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }
}

function compileHttp({ status, headers = {}, bodyMatches, jsonPath }: HttpExpectation): Check<HttpAnswer> {
  const text = compileText({ ...(jsonPath !== undefined && { jsonPath }) }, 'body', 'expect')
  const body = bodyMatches === undefined ? [] : [compileMatch(bodyMatches, 'body', 'expect.bodyMatches')]
  const content = compileAll([...body, text])
  return compileAll([
    compileStatus(status),
    ...Object.entries(headers).map(([name, pattern]) => compileHeader(name, pattern)),
    (answer) => content(answer.body),
  ])
}

function compileStatus(status: HttpExpectation['status']): Check<HttpAnswer> {
  if (status === 'any') return () => ({})
  if (status?.length === 0) throw invalidField('expect.status', 'at least one status', status)
  for (const each of status ?? []) {
    if (!(Number.isInteger(each) && each >= 100 && each <= 999)) {
      throw invalidField('expect.status', 'integers from 100 to 999', each)
    }
  }
  const isFine = (each: number): boolean => status?.includes(each) ?? (each >= 200 && each <= 299)
  const expected = status?.join(' or ') ?? '200 to 299'
  return (answer) => (isFine(answer.status) ? {} : { reason: `status ${answer.status}, expected ${expected}` })
}

function compileHeader(name: string, pattern: Pattern): Check<HttpAnswer> {
  const check = compileMatch(pattern, `header ${name}`, joinPath('expect.headers', name))
  return ({ headers }) => {
    const value = headers[name.toLowerCase()]
    return value === undefined ? { reason: `header ${name} is missing` } : check(value)
  }
}
