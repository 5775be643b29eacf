// Drives a running server over Toxiproxy's API: Faultline's, or Toxiproxy itself. Over ours: client/v1-client.ts.
import type { Dispatcher } from 'undici'
import { isObject, Transport, type AdminClientOptions } from './client/transport.ts'
import type { ProxyView, ToxicView } from './toxiproxy-json.ts'

export { AdminClientError, isAdminClientError } from './client/client-error.ts'
export { DEFAULT_ADMIN_URL, type AdminClientOptions } from './client/transport.ts'
export type { ProxyView, ToxicView }

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
  readonly #transport: Transport

  /** @param url default {@link DEFAULT_ADMIN_URL} */
  constructor(url?: string, options?: AdminClientOptions) {
    this.#transport = new Transport(url, options)
    this.url = this.#transport.url
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
    return this.#transport.close()
  }

  async #call<Answer>(
    method: Dispatcher.HttpMethod,
    path: string,
    isAnswer: (value: unknown) => value is Answer,
    body?: object,
  ): Promise<Answer> {
    const answer = await this.#transport.call(method, path, body)
    if (isAnswer(answer.body)) return answer.body
    throw this.#transport.badAnswer(`${method} ${path}`, "Toxiproxy's API")
  }
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

// ---- what answers must look like; no schema, because loading one costs the CLI more time than its call does ----------

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
