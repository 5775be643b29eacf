// GET /metrics: Toxiproxy's names and ours, live; and the dashboard that shows them.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer, type AdminServerOptions } from '../../admin/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

let echo: RawServer
let server: AdminServer | undefined

beforeEach(async () => {
  echo = await RawServer.echo()
})
afterEach(async () => {
  await server?.close()
  await echo.close()
})

async function start(options: AdminServerOptions = {}): Promise<AdminServer> {
  return (server = await startAdminServer({ port: 0, ...options }))
}

async function metrics({ url }: AdminServer): Promise<string> {
  return (await fetch(`${url}/metrics`, { headers: { 'user-agent': 'Prometheus' } })).text()
}

test('bytes are counted while connections live, by direction and proxy', async () => {
  const admin = await start({ proxies: [{ name: 'p', upstream: echo.address }] })
  const proxy = admin.network.proxy('p')!
  const client = await RawSocket.connect(portOf(proxy))
  client.write('hello')
  await client.untilBytes(5)
  const text = await metrics(admin)
  const labels = (direction: string): string =>
    `{direction="${direction}",proxy="p",listener="${proxy.listen}",upstream="${echo.address}"}`
  for (const direction of ['upstream', 'downstream']) {
    expect(text).toContain(`toxiproxy_proxy_received_bytes_total${labels(direction)} 5\n`)
    expect(text).toContain(`toxiproxy_proxy_sent_bytes_total${labels(direction)} 5\n`)
  }
  expect(text).toContain('faultline_proxy_connections{proxy="p"} 1\n')
  expect(text).toContain('faultline_proxy_accepted_connections_total{proxy="p"} 1\n')
  client.destroy()
})

test('injections, held bytes and reached limits are counted', async () => {
  const admin = await start({
    proxies: [{ name: 'p', upstream: echo.address, faults: [{ type: 'latency', attributes: { latency: 60_000 } }] }],
  })
  const client = await RawSocket.connect(portOf(admin.network.proxy('p')!))
  client.write('hello')
  await expect.poll(() => metrics(admin)).toContain('faultline_injections_total{proxy="p",type="latency"} 1\n')
  expect(await metrics(admin)).toMatch(/faultline_proxy_held_bytes{proxy="p"} [1-9]/)
  // More than the 16 MiB that a fault may hold; the echo stops, as its answers do not get through.
  client.write(Buffer.alloc(40 * 1024 * 1024))
  await expect
    .poll(() => metrics(admin), { timeout: 10_000 })
    .toMatch(/faultline_proxy_held_limits_reached_total{proxy="p"} [1-9]/)
  client.destroy()
})

test("a removed proxy's metrics are gone", async () => {
  const admin = await start({ proxies: [{ name: 'p', upstream: echo.address }] })
  await admin.network.removeProxy('p')
  expect(await metrics(admin)).not.toContain('proxy="p"')
})

test("Toxiproxy's metrics can be left out and Node's added", async () => {
  const text = await metrics(
    await start({ proxyMetrics: false, runtimeMetrics: true, proxies: [{ name: 'p', upstream: 'x:1' }] }),
  )
  expect(text).not.toContain('toxiproxy_')
  expect(text).toContain('nodejs_eventloop_lag_seconds')
  expect(text).toContain('faultline_build_info')
})

describe('what is said of the network as a whole', () => {
  test('faults that act, partitions, leases, the emergency stop', async () => {
    const faults = [
      { type: 'latency', name: 'one' },
      { type: 'latency', name: 'two' },
      { type: 'noop', enabled: false },
    ]
    const admin = await start({ proxies: [{ name: 'p', upstream: 'x:1', from: 'app', to: 'db', faults }] })
    const { network } = admin
    network.partition({ groups: [['app'], ['db']], mode: 'reject' })
    network.leases.create({ ttlMs: 60_000 })
    expect((await metrics(admin)).split('\n')).toEqual(
      expect.arrayContaining([
        'faultline_active_faults{proxy="p",type="latency"} 2',
        'faultline_active_faults{proxy="p",type="refuse"} 1', // of the partition
        'faultline_partitions 1',
        'faultline_leases 1',
        'faultline_stopped 0',
      ]),
    )
    expect(await metrics(admin)).not.toContain('type="noop"')

    network.stop()
    const stopped = await metrics(admin)
    expect(stopped).toContain('faultline_stopped 1\n')
    expect(stopped).toContain('faultline_partitions 0\n')
    expect(stopped).not.toContain('faultline_active_faults{')
  })

  test('clients of the feed', async () => {
    const admin = await start()
    expect(await metrics(admin)).toContain('faultline_feed_clients 0\n')
    const controller = new AbortController()
    const feed = await fetch(`${admin.url}/v1/events`, {
      headers: { accept: 'text/event-stream', 'user-agent': 'x' },
      signal: controller.signal,
    })
    expect(feed.status).toBe(200)
    expect(await metrics(admin)).toContain('faultline_feed_clients 1\n')
    controller.abort()
    await expect.poll(() => metrics(admin)).toContain('faultline_feed_clients 0\n')
  })
})

/** A page on which every metric has a value. */
async function fullPage(): Promise<string> {
  const admin = await start({ runtimeMetrics: true, proxies: [{ name: 'p', upstream: echo.address }] })
  const proxy = admin.network.proxy('p')!
  proxy.addFault({ type: 'stall' })
  const client = await RawSocket.connect(portOf(proxy))
  client.write('hello')
  await expect.poll(() => metrics(admin)).toContain('faultline_injections_total{')
  const page = await metrics(admin)
  client.destroy()
  return page
}

test.skipIf(spawnSync('promtool', ['--version']).status !== 0)("Prometheus' linter finds nothing", async () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: await fullPage(),
    encoding: 'utf8',
  })
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
})

describe('the dashboard for Grafana', () => {
  interface Target {
    readonly expr: string
  }
  interface Dashboard {
    readonly uid: string
    readonly title: string
    readonly schemaVersion: number
    readonly panels: readonly {
      readonly id: number
      readonly title: string
      readonly type: string
      readonly gridPos: { readonly x: number; readonly w: number }
      readonly targets: readonly Target[]
    }[]
    readonly templating: { readonly list: readonly { readonly query: string | { readonly query: string } }[] }
  }
  const file = join(import.meta.dirname, '..', '..', 'examples', 'grafana', 'faultline-dashboard.json')
  const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard

  test('is one: panels with an id of their own, a place in the grid and a question', () => {
    const { uid, title, schemaVersion, panels } = dashboard
    expect({ uid, title, schemaVersion }).toEqual({ uid: 'faultline', title: 'Faultline', schemaVersion: 39 })
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { gridPos, targets } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24) // Grafana's grid has 24 columns
      expect(targets.length).toBeGreaterThan(0)
    }
  })

  test('asks for metrics that there are, and shows each of ours', async () => {
    const page = await fullPage()
    const there = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    const variables = dashboard.templating.list.map(({ query }) => (typeof query === 'string' ? query : query.query))
    const asked = [...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)), ...variables]
      .join(' ')
      .match(/(?:faultline|toxiproxy|process|nodejs)_\w+/g)
    expect((asked ?? []).filter((name) => !there.has(name))).toEqual([])
    const ours = [...there].filter((name) => name?.startsWith('faultline_') && name !== 'faultline_build_info')
    expect(ours.filter((name) => !asked?.includes(name ?? ''))).toEqual([])
  })
})
