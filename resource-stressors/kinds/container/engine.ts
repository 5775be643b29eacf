// A client of a container engine: the few calls of the Docker Engine API that stressors need, over its Unix socket.
import type { Client } from 'undici'
import { systemCode } from '../../../proxy/errors.ts'
import { parseJson, readContainer, readContainerIds, readReason, type Container } from './engine-answers.ts'
import { EngineError } from './engine-error.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

const REQUEST_TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
/** The newest version of the API that this was written for: what was in 1.24 has not changed. */
const NEWEST_VERSION = '1.51'

export class ContainerEngine {
  readonly socketPath: string
  readonly #client: Client
  readonly #timeoutMs: number
  /** Goes before each path. */
  #version = ''

  private constructor(socketPath: string, client: Client, timeoutMs: number) {
    this.socketPath = socketPath
    this.#client = client
    this.#timeoutMs = timeoutMs
  }

  /**
   * Finds out which version of the API both know.
   *
   * @param timeoutMs for each answer, without what the engine is asked to wait for
   * @throws EngineError
   */
  static async connect(socketPath: string, timeoutMs = REQUEST_TIMEOUT_MS): Promise<ContainerEngine> {
    // Not needed by whoever never touches a container.
    const { Client } = await import('undici')
    const client = new Client('http://localhost', {
      socketPath,
      pipelining: 0, // a connection each: the engine may close one that waits just when it is used again
      maxResponseSize: MAX_ANSWER_BYTES,
      headersTimeout: 0, // each request has its own deadline
      bodyTimeout: 0,
    })
    const engine = new ContainerEngine(socketPath, client, timeoutMs)
    try {
      await engine.#negotiate()
      return engine
    } catch (error) {
      await engine.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#client.destroy()
  }

  async #negotiate(): Promise<void> {
    const call = 'GET /_ping'
    const answer = await this.#request('GET', '/_ping')
    if (answer.status !== 200) throw this.#refused(call, answer)
    const theirs = answer.headers['api-version']
    if (typeof theirs !== 'string' || !/^\d{1,3}\.\d{1,3}$/.test(theirs)) throw this.#badAnswer(call)
    this.#version = `/v${minorOf(theirs) < minorOf(NEWEST_VERSION) ? theirs : NEWEST_VERSION}`
  }

  /** Ids of those that run or are paused and have the label: `key` or `key=value`. */
  async withLabel(label: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label], status: ['running', 'paused'] }))
    const call = 'GET /containers/json'
    const answer = await this.#request('GET', `/containers/json?filters=${filters}`)
    if (answer.status !== 200) throw this.#refused(call, answer)
    const ids = readContainerIds(parseJson(answer.text))
    if (!ids) throw this.#badAnswer(call)
    return ids
  }

  /** @throws EngineError `no_such_container` */
  async inspect(idOrName: string): Promise<Container> {
    const call = `GET /containers/${idOrName}/json`
    const answer = await this.#request('GET', `/containers/${encodeURIComponent(idOrName)}/json`)
    if (answer.status !== 200) throw this.#refused(call, answer)
    const container = readContainer(parseJson(answer.text))
    if (!container) throw this.#badAnswer(call)
    return container
  }

  async pause(id: string): Promise<void> {
    await this.#act(id, 'pause')
  }

  async unpause(id: string): Promise<void> {
    await this.#act(id, 'unpause')
  }

  async kill(id: string, signal: string): Promise<void> {
    await this.#act(id, `kill?signal=${encodeURIComponent(signal)}`)
  }

  /** Resolves when it has stopped; no error if it had. */
  async stop(id: string, graceSeconds: number): Promise<void> {
    await this.#act(id, `stop?t=${graceSeconds}`, graceSeconds)
  }

  /** No error if it runs. */
  async start(id: string): Promise<void> {
    await this.#act(id, 'start')
  }

  async restart(id: string, graceSeconds: number): Promise<void> {
    await this.#act(id, `restart?t=${graceSeconds}`, graceSeconds)
  }

  async #act(id: string, action: string, waitsSeconds = 0): Promise<void> {
    const path = `/containers/${id}/${action}`
    const answer = await this.#request('POST', path, this.#timeoutMs + waitsSeconds * 1000)
    // Not modified: it is as it should be, e.g. stopped.
    if (answer.status !== 204 && answer.status !== 304) throw this.#refused(`POST ${path}`, answer)
  }

  async #request(method: 'GET' | 'POST', path: string, timeoutMs = this.#timeoutMs): Promise<Answer> {
    try {
      const signal = AbortSignal.timeout(timeoutMs)
      const { statusCode, headers, body } = await this.#client.request({ method, path: this.#version + path, signal })
      return { status: statusCode, headers, text: await body.text() }
    } catch (error) {
      throw this.#toEngineError(error, `${method} ${path}`, timeoutMs)
    }
  }

  #refused(call: string, { status, text }: Answer): EngineError {
    if (status < 400) return this.#badAnswer(call)
    const message = `the container engine at ${this.socketPath} refused ${call}: ${readReason(text)} (HTTP ${status})`
    return new EngineError(status === 404 ? 'no_such_container' : 'refused', message)
  }

  #badAnswer(call: string): EngineError {
    const message = `${this.socketPath} answered ${call} as no container engine does: is it the right socket?`
    return new EngineError('bad_answer', message)
  }

  #toEngineError(error: unknown, call: string, timeoutMs: number): EngineError {
    if (error instanceof Error && error.name === 'TimeoutError') {
      const message = `the container engine at ${this.socketPath} gave no answer to ${call} within ${timeoutMs / 1000} s`
      return new EngineError('timeout', message, error)
    }
    const isHttp = !(error instanceof Error && error.name === 'HTTPParserError')
    const code = systemCode(error) ?? (error instanceof Error ? error.message : String(error))
    if (code === 'EACCES' || code === 'EPERM') {
      const message = `${this.socketPath} may not be used by this user (${code}): it takes root, or the group of the socket`
      return new EngineError('forbidden', message, error)
    }
    if (!isHttp || code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return this.#badAnswer(call)
    const message = `no container engine can be reached at ${this.socketPath} (${code}): is it running?`
    return new EngineError('unreachable', message, error)
  }
}

function minorOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major * 1000 + minor
}
