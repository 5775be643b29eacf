// Requests to an admin server and their answers, and every way in which they can fail. What both clients stand on.
import { Agent, type Dispatcher } from 'undici'
import { systemCode } from '../../proxy/errors.ts'
import { version } from '../../proxy/version.ts'
import { AdminClientError, type Problem } from './client-error.ts'

/** Where servers listen unless told otherwise. */
export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:8474'

/** A server that takes longer for an answer is not going to give one. */
export const REQUEST_TIMEOUT_MS = 30_000

/** Largest answer that is read: some 50,000 proxies. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** Not a browser's: those are refused. */
const USER_AGENT = `faultline-cli/${version}`

export interface AdminClientOptions {
  /** How long a call may take in all. Default {@link REQUEST_TIMEOUT_MS}. */
  readonly timeoutMs?: number
  /** What the server wants as `Authorization: Bearer`. Default none. */
  readonly token?: string
  /**
   * Asked before each call: whether it may go by a connection that has been used before. Default: always. Not where timers
   * are fake: undici looks at such a connection in a setImmediate(), and would wait for that for ever.
   */
  readonly reuse?: () => boolean
}

function always(): boolean {
  return true
}

/** An answer of the 2xx kind. */
export interface Answer {
  /** What JSON said; undefined if there was no body, null if it was none. */
  readonly body: unknown
}

export class Transport {
  /** The server's URL, without a slash at the end. */
  readonly url: string
  readonly #origin: string
  readonly #basePath: string
  readonly #timeoutMs: number
  readonly #headers: Readonly<Record<string, string>>
  readonly #reuse: () => boolean
  /** Its own, so that nobody's mocks or settings of undici get between a test and its faults. */
  readonly #agent = new Agent({ maxResponseSize: MAX_ANSWER_BYTES })
  /** Each call by a connection of its own. */
  readonly #single = new Agent({ maxResponseSize: MAX_ANSWER_BYTES, pipelining: 0 })
  /** Streams have no end, so no largest size. */
  readonly #streams = new Agent()

  constructor(url: string = DEFAULT_ADMIN_URL, options: AdminClientOptions = {}) {
    const { timeoutMs = REQUEST_TIMEOUT_MS, token, reuse = always } = options
    const { origin, pathname } = parseUrl(url)
    this.#origin = origin
    this.#basePath = pathname.replace(/\/+$/, '')
    this.url = this.#origin + this.#basePath
    this.#timeoutMs = timeoutMs
    this.#reuse = reuse
    this.#headers = { 'user-agent': USER_AGENT, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  }

  /** @throws AdminClientError */
  async call(method: Dispatcher.HttpMethod, path: string, body?: object): Promise<Answer> {
    const { status, text } = await this.#send(method, path, body)
    if (status < 200 || status > 299) throw this.#refused(`${method} ${path}`, status, text)
    return { body: text === '' ? undefined : parseJson(text) }
  }

  /** The same, for answers that are no JSON. @throws AdminClientError */
  async text(method: Dispatcher.HttpMethod, path: string): Promise<string> {
    const { status, text } = await this.#send(method, path)
    if (status < 200 || status > 299) throw this.#refused(`${method} ${path}`, status, text)
    return text
  }

  /** What goes wrong if an answer is not what the API that was called says. */
  badAnswer(call: string, expected: string): AdminClientError {
    const message = `${this.url} answered ${call} with something else than ${expected} does; is it the right server?`
    return new AdminClientError('bad_answer', message)
  }

  /**
   * Reads an answer that comes bit by bit: resolves when it begins. Whoever reads it has to expect that it breaks off.
   *
   * @param silenceMs without a byte for so long it has broken off
   * @throws AdminClientError if it does not begin
   */
  async stream(
    path: string,
    headers: Readonly<Record<string, string>>,
    silenceMs: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const { status, body } = await this.#request(this.#streams, {
      path,
      method: 'GET',
      headers,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: silenceMs,
      signal,
    })
    if (status === 200) return body
    throw this.#refused(`GET ${path}`, status, await body.text())
  }

  /** Ends the connections to the server. */
  async close(): Promise<void> {
    await Promise.all([this.#agent.close(), this.#single.close(), this.#streams.destroy()])
  }

  async #send(method: Dispatcher.HttpMethod, path: string, body?: object): Promise<{ status: number; text: string }> {
    const request = {
      path,
      method,
      headers: body ? { 'content-type': 'application/json' } : {},
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.timeout(this.#timeoutMs),
    }
    const answer = await this.#request(this.#reuse() ? this.#agent : this.#single, request)
    try {
      return { status: answer.status, text: await answer.body.text() }
    } catch (error) {
      throw this.#toClientError(error)
    }
  }

  async #request(
    agent: Agent,
    { path, headers, ...request }: Omit<Dispatcher.RequestOptions, 'origin' | 'headers'> & { headers: object },
  ) {
    try {
      const { statusCode, body } = await agent.request({
        ...request,
        origin: this.#origin,
        path: this.#basePath + path, // not by new URL(): it would resolve a proxy named ".."
        headers: { ...this.#headers, ...headers },
      })
      return { status: statusCode, body }
    } catch (error) {
      throw this.#toClientError(error)
    }
  }

  #refused(call: string, status: number, text: string): AdminClientError {
    const body = parseJson(text)
    const reason = readReason(body, text)
    const message = `${this.url} refused ${call}: ${reason} (HTTP ${status})`
    return new AdminClientError('refused', message, { status, reason, problem: readProblem(body) })
  }

  #toClientError(error: unknown): AdminClientError {
    if (error instanceof Error && error.name === 'TimeoutError') {
      const message = `${this.url} gave no answer within ${this.#timeoutMs / 1000} s`
      return new AdminClientError('timeout', message, { cause: error })
    }
    const code = systemCode(error)
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
      const message = `${this.url} sent an answer of more than ${MAX_ANSWER_BYTES} bytes`
      return new AdminClientError('bad_answer', message, { cause: error })
    }
    const reason = code ?? (error instanceof Error ? error.message : String(error))
    return new AdminClientError('unreachable', `cannot reach ${this.url}: ${reason}`, { cause: error })
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new AdminClientError('invalid_url', `url: expected an http:// or https:// URL, got ${JSON.stringify(text)}`)
}

/** Null if it is not JSON: no answer here is null. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Toxiproxy's `error`, the `detail` of a problem document (RFC 9457), or whatever else a server says first. */
function readReason(body: unknown, text: string): string {
  if (isObject(body)) {
    for (const reason of [body['error'], body['detail']]) if (typeof reason === 'string') return reason
  }
  const line = text.trim().split('\n', 1)[0] ?? ''
  return line === '' ? 'no reason given' : line.slice(0, 200)
}

function readProblem(body: unknown): Problem | undefined {
  if (!isObject(body) || typeof body['code'] !== 'string') return undefined
  const { code, field, expected } = body
  return { code, ...(typeof field === 'string' && { field }), ...(typeof expected === 'string' && { expected }) }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
