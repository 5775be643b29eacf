// A container engine without containers: speaks what is needed of the Docker Engine API 1.43 over a Unix socket, with the
// statuses and bodies of its documentation (https://docs.docker.com/reference/api/engine/version/v1.43/) and of its errors.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeContainer {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly autoRemove: boolean
  status: 'running' | 'paused' | 'exited'
}

interface Reply {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** What the engine says instead, for as long as it says anything; undefined = as always. */
export type Misbehaviour = (call: string) => Reply | 'silence' | undefined

const OLDEST_API_VERSION = '1.24'

export class FakeEngine implements AsyncDisposable {
  readonly socketPath: string
  readonly containers = new Map<string, FakeContainer>()
  /** `POST /containers/web/pause?t=1`, without the version, in the order of their arrival. */
  readonly calls: string[] = []
  /** Of the last call that had one. */
  askedVersion = ''
  misbehaviour: Misbehaviour = () => undefined
  /** Containers that are asked to end wait for this before they do. */
  mayEnd: Promise<void> = Promise.resolve()
  readonly #folder = mkdtempSync(join(tmpdir(), 'faultline-engine-'))
  readonly #server: http.Server
  readonly #apiVersion: string

  private constructor(apiVersion: string) {
    this.#apiVersion = apiVersion
    this.socketPath = join(this.#folder, 'docker.sock')
    this.#server = http.createServer((request, response) => {
      void this.#answer(request, response)
    })
  }

  static async start(apiVersion = '1.43'): Promise<FakeEngine> {
    const engine = new FakeEngine(apiVersion)
    engine.#server.listen(engine.socketPath)
    await once(engine.#server, 'listening')
    return engine
  }

  add(name: string, options: Partial<Omit<FakeContainer, 'name'>> = {}): FakeContainer {
    const id = Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64)
    const container: FakeContainer = { id, name, labels: {}, autoRemove: false, status: 'running', ...options }
    this.containers.set(container.id, container)
    return container
  }

  /** Calls that change something, without the ids of containers: `pause`, `stop?t=10`. */
  get acts(): string[] {
    return this.calls.filter((call) => call.startsWith('POST ')).map((call) => call.replace(/^.*\//, ''))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #answer({ method, url = '' }: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const version = url.match(/^\/v([\d.]+)\//)?.[1]
    const path = url.replace(/^\/v[\d.]+/, '')
    if (version !== undefined) this.askedVersion = version
    const call = `${method} ${path}`
    this.calls.push(call)
    const instead = this.misbehaviour(call)
    if (instead === 'silence') return
    const reply = instead ?? this.#refuseVersion(version) ?? (await this.#reply(call, new URL(path, 'http://engine')))
    const { status, body, headers } = reply
    const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json'
    const server = { 'Api-Version': this.#apiVersion, Ostype: 'linux', Server: 'Docker/24.0.7 (linux)' }
    response.writeHead(status, { ...server, ...(body !== undefined && { 'Content-Type': type }), ...headers })
    response.end(typeof body === 'string' ? body : body === undefined ? undefined : `${JSON.stringify(body)}\n`)
  }

  #refuseVersion(version: string | undefined): Reply | undefined {
    if (version === undefined) return undefined
    const [asked, newest, oldest] = [version, this.#apiVersion, OLDEST_API_VERSION].map((text) => Number(text.slice(2)))
    if (asked! > newest!) {
      return refusal(400, `client version ${version} is too new. Maximum supported API version is ${this.#apiVersion}`)
    }
    if (asked! >= oldest!) return undefined
    return refusal(400, `client version ${version} is too old. Minimum supported API version is ${OLDEST_API_VERSION}`)
  }

  async #reply(call: string, { pathname, searchParams }: URL): Promise<Reply> {
    if (call === 'GET /_ping') return { status: 200, body: 'OK' }
    if (pathname === '/containers/json') return { status: 200, body: this.#list(searchParams.get('filters') ?? '{}') }
    const [, id = '', action = ''] = pathname.match(/^\/containers\/([^/]+)\/(\w+)$/) ?? []
    const container = [...this.containers.values()].find(({ id: full, name }) => name === id || full.startsWith(id))
    if (!container) return refusal(404, action === '' ? 'page not found' : `No such container: ${id}`)
    return call.startsWith('GET ') ? { status: 200, body: inspected(container) } : this.#act(container, action)
  }

  #list(filters: string): unknown[] {
    const { label = [], status = ['running', 'paused'] } = JSON.parse(filters) as Record<string, string[] | undefined>
    const shown = [...this.containers.values()].filter(
      (container) =>
        status.includes(container.status) &&
        label.every((wanted) => {
          const [key = '', value] = wanted.split('=')
          return value === undefined ? key in container.labels : container.labels[key] === value
        }),
    )
    return shown.map(({ id, name, labels, status }) => {
      const Status = status === 'paused' ? 'Up 2 minutes (Paused)' : 'Up 2 minutes'
      return { Id: id, Names: [`/${name}`], Image: 'postgres:16', Labels: labels, State: status, Status }
    })
  }

  async #act(container: FakeContainer, action: string): Promise<Reply> {
    const { id, status } = container
    const done = (next: FakeContainer['status']): Reply => {
      container.status = next
      return { status: 204 }
    }
    switch (action) {
      case 'pause':
        if (status === 'paused') return refusal(409, `Container ${id} is already paused`)
        return status === 'exited' ? refusal(409, `Container ${id} is not running`) : done('paused')
      case 'unpause':
        return status === 'paused' ? done('running') : refusal(500, `Container ${id} is not paused`)
      case 'kill':
        if (status !== 'exited') return done('exited')
        return refusal(409, `cannot kill container: ${id}: container ${id} is not running`)
      case 'stop':
        if (status === 'exited') return { status: 304 }
        await this.mayEnd
        return done('exited')
      case 'start':
        return status === 'exited' ? done('running') : { status: 304 }
      case 'restart':
        await this.mayEnd
        return done('running')
      default:
        return refusal(404, 'page not found')
    }
  }
}

function refusal(status: number, message: string): Reply {
  return { status, body: { message } }
}

function inspected({ id, name, labels, autoRemove, status }: FakeContainer): unknown {
  return {
    Id: id,
    Created: '2024-01-02T03:04:05.678901234Z',
    Path: 'docker-entrypoint.sh',
    Args: ['postgres'],
    State: {
      Status: status,
      Running: status !== 'exited',
      Paused: status === 'paused',
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: status === 'exited' ? 0 : 4711,
      ExitCode: 0,
      Error: '',
      StartedAt: '2024-01-02T03:04:06.123456789Z',
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    Name: `/${name}`,
    HostConfig: { AutoRemove: autoRemove, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } },
    Config: { Hostname: id.slice(0, 12), Labels: labels },
  }
}
