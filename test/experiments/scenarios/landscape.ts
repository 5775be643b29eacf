// What every scenario of the library finds something to disturb in: proxies of two protocols, five services with a link
// between any two, a component in a process of its own, a container.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findScenario, valuesFor, type ParameterValues } from '../../../experiments/scenarios/index.ts'
import type { ProxySpec } from '../../../proxy/index.ts'

const SERVICES = ['a', 'b', 'c', 'd', 'e']

/** Where the proxies lead, as `host:port`. */
export interface Upstreams {
  readonly service: string
  readonly database: string
}

/** Thirteen, so that no scenario but the ring of majorities needs more than the usual blast radius of 30 %. */
export function proxySpecs({ service, database }: Upstreams): ProxySpec[] {
  const links = SERVICES.flatMap((from, index) =>
    SERVICES.slice(index + 1).map((to) => ({ name: `${from}-${to}`, upstream: service, from, to })),
  )
  return [
    { name: 'http', upstream: service, protocol: 'http' },
    { name: 'http-2', upstream: service, protocol: 'http' },
    { name: 'postgres', upstream: database, protocol: 'postgres' },
    ...links,
  ]
}

/** Scenarios whose dependency is the database. */
const OF_DATABASE: ReadonlySet<string> = new Set([
  'database-brief-outage',
  'database-extended-outage',
  'failover-to-read-only-replica',
  'serialization-storm',
])

export interface Disturbed {
  /** The URL of what has to stay well. */
  readonly target: string
  /** The component's program. */
  readonly program: string
  /** Of what connections are made to, as `host:port`. */
  readonly address: string
  /** Where disks fill up. */
  readonly path: string
}

export const CONTAINER = 'db'

/** What a scenario has to be given here, beside what has a default: as a flag, `NAME=VALUE`, each. */
export function parametersFor(names: readonly string[], { target, program, address, path }: Disturbed): string[] {
  const all: ParameterValues = {
    TARGET: target,
    PROXY: names.every((name) => OF_DATABASE.has(name)) ? 'postgres' : 'http',
    PROXY_2: 'http-2',
    ...(names.includes('network-partition-majorities-ring') && { BLAST_RADIUS: '50%' }),
    ...(names.includes('disk-full') && { PATH: path }),
    CONTAINER,
    PROCESS: program,
    ADDRESS: address,
    ...Object.fromEntries(SERVICES.map((service) => [`SERVICE_${service.toUpperCase()}`, service])),
  }
  const known = names.map((name) => valuesFor(findScenario(name), all))
  return Object.entries(Object.assign({}, ...known) as ParameterValues).map(([name, value]) => `${name}=${value}`)
}

/** Answers each request with `hello`, and keeps connections until the client ends them. */
const PROGRAM = `
  const server = require('node:http').createServer((request, response) => response.end('hello'))
  server.maxConnections = 10_000
  server.listen(Number(process.argv[1]), '127.0.0.1', () => console.log(server.address().port))`

/** A service in a process with a name of its own, which is started again whenever it ends, as by systemd. */
export class Component implements AsyncDisposable {
  /** As the system has it. */
  readonly program = `service-${process.pid}`
  readonly #folder = mkdtempSync(join(tmpdir(), 'faultline-component-'))
  #child: ChildProcess | undefined
  #port = 0
  #isOver = false
  /** How often it was started again. */
  restarts = 0

  static async start(): Promise<Component> {
    const component = new Component()
    // The kernel takes the name of a process from that of its file.
    symlinkSync(process.execPath, join(component.#folder, component.program))
    await component.#start()
    return component
  }

  get port(): number {
    return this.#port
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** As by SIGSTOP; proc_pid_stat(5). */
  get isStopped(): boolean {
    return readFileSync(`/proc/${this.pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .startsWith('T')
  }

  async #start(): Promise<void> {
    const args = ['-e', PROGRAM, String(this.#port)]
    const child = spawn(join(this.#folder, this.program), args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child = child
    child.once('exit', () => {
      if (this.#isOver) return
      this.restarts++
      void this.#start()
    })
    const [line] = await once(createInterface(child.stdout), 'line')
    this.#port = Number(line)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    if (this.#child && this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
