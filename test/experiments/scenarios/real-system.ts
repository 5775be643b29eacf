// A small system that scenarios are run against for real: Faultline as a process of its own, a service in a process, an
// application that depends on that service and on a real Postgres, a container engine, a disk that may fill up.
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerResponse } from 'node:http'
import pg from 'pg'
import { V1Client } from '../../../admin/client/v1-client.ts'
import { FakeEngine } from '../../support/container-engine.ts'
import { startHttpService } from '../../support/http-service.ts'
import { MountedDisk } from '../../support/mounted.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startServed, type Served } from '../../support/served.ts'
import { childrenOf } from '../../support/stressors.ts'
import { Component, CONTAINER, proxySpecs, type Disturbed } from './landscape.ts'

/** More than the floor of disks, 1 GiB, which is left free; a sparse file. */
const DISK_BYTES = 3 * 2 ** 30

/** Less than the delays of scenarios, more than a busy machine takes. */
const DEPENDENCY_TIMEOUT_MS = 700

export interface RealSystem extends AsyncDisposable {
  readonly served: Served
  readonly client: V1Client
  readonly component: Component
  readonly engine: FakeEngine
  /** Undefined where this machine lets us mount none. */
  readonly disk: MountedDisk | undefined
  /** @param path of the application, or `/` for the service itself, through its proxy */
  disturbed(path: string): Disturbed
  /** What is on the server, or was left by it on this machine, as sentences. */
  remains(): Promise<readonly string[]>
}

/** @param flags of the server */
export async function startRealSystem(...flags: string[]): Promise<RealSystem> {
  const ends: (() => unknown)[] = []
  const end = async (): Promise<void> => {
    while (ends.length > 0) await ends.pop()?.()
  }
  try {
    const component = await Component.start()
    ends.push(() => component[Symbol.asyncDispose]())
    const engine = await FakeEngine.start()
    ends.push(() => engine[Symbol.asyncDispose]())
    engine.add(CONTAINER)
    const disk = MountedDisk.ext4(DISK_BYTES)
    if (disk) ends.push(() => disk[Symbol.dispose]())
    const postgres = await startPostgres()
    ends.push(() => postgres.stop())
    await postgres.query('CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz)')
    // The server has it from the environment of this process.
    process.env['DOCKER_HOST'] = `unix://${engine.socketPath}`
    ends.push(() => delete process.env['DOCKER_HOST'])
    const served = await startServed(...flags)
    ends.push(() => served[Symbol.asyncDispose]())
    const client = new V1Client(served.url)
    ends.push(() => client.close())
    const ports = new Map<string, number>()
    const address = `127.0.0.1:${component.port}`
    for (const spec of proxySpecs({ service: address, database: `127.0.0.1:${postgres.port}` })) {
      ports.set(spec.name ?? '', Number((await client.createProxy(spec)).listen.split(':')[1]))
    }
    const pool = new pg.Pool({
      ...postgres.connectionOptions,
      port: ports.get('postgres') ?? 0,
      max: 4,
      connectionTimeoutMillis: DEPENDENCY_TIMEOUT_MS,
      query_timeout: DEPENDENCY_TIMEOUT_MS,
    })
    pool.on('error', () => {}) // an outage
    ends.push(() => pool.end())
    const application = await startHttpService((request, response) => {
      void answer(response, () => serve(request.url ?? '/', pool, ports))
    })
    ends.push(() => application[Symbol.asyncDispose]())
    return {
      served,
      client,
      component,
      engine,
      disk,
      disturbed: (path) => ({
        target: path === '/' ? `http://127.0.0.1:${ports.get('http')}/` : application.url + path,
        program: component.program,
        address,
        path: disk?.folder ?? '/var/tmp',
      }),
      remains: () => remainsOf(client, served, engine, component),
      [Symbol.asyncDispose]: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}

async function answer(response: ServerResponse, work: () => Promise<unknown>): Promise<void> {
  const status = await work().then(
    () => 200,
    () => 502,
  )
  response.writeHead(status).end()
}

/** What the application does for a request: it trusts its dependencies, and waits for them a while. */
async function serve(path: string, pool: pg.Pool, ports: ReadonlyMap<string, number>): Promise<unknown> {
  if (path === '/orders') {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await client.query('INSERT INTO orders (at) VALUES (now())')
      return await client.query('COMMIT')
    } finally {
      client.release(true) // whatever state it is in
    }
  }
  if (path === '/rows') return pool.query('SELECT count(*) FROM orders')
  // `/through/http/http-2` asks through these proxies, one after another.
  for (const name of path.split('/').slice(2)) {
    const signal = AbortSignal.timeout(DEPENDENCY_TIMEOUT_MS)
    const reply = await fetch(`http://127.0.0.1:${ports.get(name)}`, { signal })
    if (!reply.ok) throw new Error(String(reply.status))
    await reply.text()
  }
  return undefined
}

async function remainsOf(
  client: V1Client,
  served: Served,
  engine: FakeEngine,
  component: Component,
): Promise<readonly string[]> {
  const { faults, stressors, leases } = await client.status()
  const partitions = (await client.partitions()).length
  const left = Object.entries({ faults, stressors, leases, partitions }).flatMap(([what, count]) =>
    count === 0 ? [] : [`${count} ${what}`],
  )
  // One process is kept for the next stressor, and one that has ended may take a moment to be gone.
  for (let look = 0; childrenOf(served.process.pid ?? 0).length > 1; look++) {
    if (look === 100) return [...left, `${childrenOf(served.process.pid ?? 0).length} processes`]
    await delay(20)
  }
  for (const { name, status } of engine.containers.values()) {
    if (status !== 'running') left.push(`the container ${name}, which is ${status}`)
  }
  if (component.isStopped) left.push('a service that is stopped')
  return left
}
