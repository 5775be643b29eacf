// GET /metrics: Toxiproxy's names and ours, live.
import { afterEach, beforeEach, expect, test } from 'vitest'
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
