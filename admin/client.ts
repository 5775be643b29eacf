// Drives a running server over Toxiproxy's API: Faultline's, or Toxiproxy itself. What the CLI stands on.
import { Agent, type Dispatcher } from 'undici'
import { systemCode } from '../proxy/errors.ts'
import { version } from '../proxy/version.ts'
import type { ProxyView, ToxicView } from './toxiproxy-json.ts'

export type { ProxyView, ToxicView }

/** Where servers listen unless told otherwise. */
export const DEFAULT_ADMIN_URL = 'http://127.0.0.1:8474'

/** A server that takes longer for an answer is not going to give one. */
export const REQUEST_TIMEOUT_MS = 30_000

/** Largest answer that is read: some 50,000 proxies. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** Not a browser's: those are refused. */
const USER_AGENT = `faultline-cli/${version}`

export type AdminClientErrorCode =
  | 'invalid_url' // the client was given something else than an http:// or https:// URL
  | 'unreachable' // no connection, or it broke
  | 'timeout' // no answer in time
  | 'refused' // an answer, but not of the 2xx kind
  | 'bad_answer' // a 2xx answer that is not Toxiproxy's API, or too large

const brand = Symbol.for('faultline.admin-client-error')

/** Why a call failed. Told apart by {@link isAdminClientError} and its `code`. */
export class AdminClientError extends Error {
  readonly code: AdminClientErrorCode
  /** The HTTP status of a refusal. */
  readonly status: number | undefined
  /** The server's own words of a refusal, e.g. `proxy not found`. */
  readonly reason: string | undefined
  readonly [brand] = true

  constructor(code: AdminClientErrorCode, message: string, details: AdminClientErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'AdminClientError'
    this.code = code
    this.status = details.status
    this.reason = details.reason
  }
}

interface AdminClientErrorDetails {
  readonly status?: number
  readonly reason?: string
  readonly cause?: unknown
}

export function isAdminClientError(error: unknown): error is AdminClientError {
  return typeof error === 'object' && error !== null && brand in error
}

export interface AdminClientOptions {
  /** How long a call may take in all. Default {@link REQUEST_TIMEOUT_MS}. */
  readonly timeoutMs?: number
}

/** A proxy to be created. Left out: `listen` is any free port on all interfaces, `enabled` is true. */
export type NewProxy = Pick<ProxyView, 'name' | 'upstream'> & Partial<Pick<ProxyView, 'listen' | 'enabled'>>

export type ProxyUpdate = Partial<Pick<ProxyView, 'listen' | 'upstream' | 'enabled'>>

/** A toxic to be added. Left out: `name` is `<type>_<stream>`, `stream` is `downstream`, `toxicity` is 1. */
export type NewToxic = Pick<ToxicView, 'type'> & Partial<ToxicView>

/** Attributes are merged into the present ones. */
export type ToxicUpdate = Partial<Pick<ToxicView, 'attributes' | 'toxicity'>>

/**
 * Every method throws an {@link AdminClientError}.
 *
 * @example
 * const client = new AdminClient('http://127.0.0.1:8474')
 * await client.createProxy({ name: 'db', listen: '127.0.0.1:6432', upstream: '127.0.0.1:5432' })
 * await client.addToxic('db', { type: 'latency', attributes: { latency: 500 } })
 * await client.close()
 */
export class AdminClient {
  /** The server's URL, without a slash at the end. */
  readonly url: string
  readonly #origin: string
  readonly #basePath: string
  readonly #timeoutMs: number
  /** Its own, so that nobody's mocks or settings of undici get between a test and its faults. */
  readonly #agent = new Agent({ maxResponseSize: MAX_ANSWER_BYTES })

  constructor(url: string = DEFAULT_ADMIN_URL, options: AdminClientOptions = {}) {
    const { origin, pathname } = parseUrl(url)
    this.#origin = origin
    this.#basePath = pathname.replace(/\/+$/, '')
    this.url = this.#origin + this.#basePath
    this.#timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS
  }

  /** What the server calls itself in Toxiproxy's terms, e.g. `2.12.0`. */
  async version(): Promise<string> {
    return (await this.#call('GET', '/version', isVersion)).version
  }

  /** By name. */
  proxies(): Promise<Readonly<Record<string, ProxyView>>> {
    return this.#call('GET', '/proxies', isProxies)
  }

  proxy(name: string): Promise<ProxyView> {
    return this.#call('GET', proxyPath(name), isProxy)
  }

  createProxy(proxy: NewProxy): Promise<ProxyView> {
    return this.#call('POST', '/proxies', isProxy, proxy)
  }

  /** A changed address restarts the proxy and drops its connections. */
  updateProxy(name: string, update: ProxyUpdate): Promise<ProxyView> {
    return this.#call('POST', proxyPath(name), isProxy, update)
  }

  deleteProxy(name: string): Promise<void> {
    return this.#call('DELETE', proxyPath(name), isEmpty)
  }

  addToxic(proxy: string, toxic: NewToxic): Promise<ToxicView> {
    return this.#call('POST', toxicsPath(proxy), isToxic, toxic)
  }

  updateToxic(proxy: string, name: string, update: ToxicUpdate): Promise<ToxicView> {
    return this.#call('POST', toxicPath(proxy, name), isToxic, update)
  }

  removeToxic(proxy: string, name: string): Promise<void> {
    return this.#call('DELETE', toxicPath(proxy, name), isEmpty)
  }

  /** Ends the connections to the server. */
  close(): Promise<void> {
    return this.#agent.close()
  }

  async #call<Answer>(
    method: Dispatcher.HttpMethod,
    path: string,
    isAnswer: (value: unknown) => value is Answer,
    body?: object,
  ): Promise<Answer> {
    const { status, text } = await this.#send(method, path, body)
    if (status < 200 || status > 299) {
      const reason = readReason(text)
      const message = `${this.url} refused ${method} ${path}: ${reason} (HTTP ${status})`
      throw new AdminClientError('refused', message, { status, reason })
    }
    const answer = text === '' ? undefined : parseJson(text)
    if (isAnswer(answer)) return answer
    const message = `${this.url} answered ${method} ${path} with something else than Toxiproxy's API does`
    throw new AdminClientError('bad_answer', `${message}; is it the right server?`)
  }

  async #send(method: Dispatcher.HttpMethod, path: string, body?: object): Promise<{ status: number; text: string }> {
    try {
      const answer = await this.#agent.request({
        origin: this.#origin,
        path: this.#basePath + path, // not by new URL(): it would resolve a proxy named ".."
        method,
        headers: { 'user-agent': USER_AGENT, ...(body && { 'content-type': 'application/json' }) },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      return { status: answer.statusCode, text: await answer.body.text() }
    } catch (error) {
      throw this.#toClientError(error)
    }
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

function proxyPath(name: string): string {
  return `/proxies/${encodeURIComponent(name)}`
}

function toxicsPath(proxy: string): string {
  return `${proxyPath(proxy)}/toxics`
}

function toxicPath(proxy: string, toxic: string): string {
  return `${toxicsPath(proxy)}/${encodeURIComponent(toxic)}`
}

/** Null if it is not JSON: no answer here is null. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Toxiproxy's `error`, or whatever else a server says first. */
function readReason(text: string): string {
  const body = parseJson(text)
  if (typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'string') return body.error
  const line = text.trim().split('\n', 1)[0] ?? ''
  return line === '' ? 'no reason given' : line.slice(0, 200)
}

// ---- what answers must look like; no schema, because loading one costs the CLI more time than its call does ----------

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEmpty(value: unknown): value is undefined {
  return value === undefined
}

function isVersion(value: unknown): value is { readonly version: string } {
  return isObject(value) && typeof value['version'] === 'string'
}

function isToxic(value: unknown): value is ToxicView {
  return (
    isObject(value) &&
    ['name', 'type', 'stream'].every((field) => typeof value[field] === 'string') &&
    typeof value['toxicity'] === 'number' &&
    isObject(value['attributes'])
  )
}

function isProxy(value: unknown): value is ProxyView {
  return (
    isObject(value) &&
    ['name', 'listen', 'upstream'].every((field) => typeof value[field] === 'string') &&
    typeof value['enabled'] === 'boolean' &&
    Array.isArray(value['toxics']) &&
    value['toxics'].every(isToxic)
  )
}

function isProxies(value: unknown): value is Readonly<Record<string, ProxyView>> {
  return isObject(value) && Object.values(value).every(isProxy)
}
