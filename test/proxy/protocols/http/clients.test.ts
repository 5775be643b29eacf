// Real clients can't tell `protocol: http` from no proxy, and neither can their server.
import { describe, expect, test, vi } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import { realClients, type RealClient } from '../../../support/http-clients.ts'
import { startOrigin } from '../../../support/http-origin.ts'
import { portOf } from '../../../support/proxied.ts'

interface Seen {
  /** What the client says it was told. */
  readonly client: string
  /** What came to the server, one entry a connection. */
  readonly server: readonly string[]
}

/** Clients name the port in Host. */
function withoutPort(text: string, port: number): string {
  return text.replaceAll(String(port), 'PORT')
}

async function straight(client: RealClient): Promise<Seen> {
  await using origin = await startOrigin()
  const told = await client.run(origin.port)
  return {
    client: withoutPort(told, origin.port),
    server: origin.received.map((bytes) => withoutPort(bytes, origin.port)),
  }
}

async function proxied(client: RealClient, faults: readonly FaultSpec[]): Promise<Seen> {
  await using origin = await startOrigin()
  await using network = new Network({ seed: 1 })
  const upstream = `127.0.0.1:${origin.port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream, faults })
  const port = portOf(proxy)
  const told = await client.run(port)
  expect(proxy.counters.opaqueConnections).toBe(0)
  return { client: withoutPort(told, port), server: origin.received.map((bytes) => withoutPort(bytes, port)) }
}

function asTheyCame(connections: readonly string[]): readonly string[] {
  return connections
}

/** One by one, whatever connection they came on. */
function requestsOf(connections: readonly string[]): readonly string[] {
  return connections.flatMap((bytes) => bytes.split(/(?=(?:GET|HEAD|POST|PUT) \/)/)).toSorted()
}

// Go compiles its program first.
vi.setConfig({ testTimeout: 60_000 })

const never: readonly FaultSpec[] = [{ type: 'http_abort', match: { path: '/never' }, attributes: { status: 503 } }]

describe.each(realClients.map((client) => [client.name, client] as const))('%s', (_name, client) => {
  // Known before the tests are, so that the report says why they were not run.
  const reason = client.missing === undefined ? '' : ` (skipped: ${client.missing})`

  test.skipIf(client.missing)(`sends its requests and is answered${reason}`, async () => {
    const { client: told, server } = await straight(client)
    const sent = server.join('')
    for (const path of ['/first', '/second', '/length', '/chunked', '/head', '/close'])
      expect(sent).toContain(` ${path} HTTP/1.1`)
    expect(sent).toMatch(/transfer-encoding: chunked/i)
    expect(sent).toMatch(/content-length: \d/i)
    // The answers say what the server was sent.
    expect(told).toContain('POST /length hello')
    // At least some of the requests came on a connection that was there already.
    expect(server.length).toBeLessThan(4)
  })

  test.skipIf(client.missing).each([
    ['without a fault', []],
    ['with a rule that never matches', never],
  ])(`and its server see the same through a proxy %s${reason}`, async (_way, faults) => {
    const [direct, through] = await Promise.all([straight(client), proxied(client, faults)])
    const order = client.pools ? requestsOf : asTheyCame
    expect(order(through.server)).toEqual(order(direct.server))
    expect(through.client).toBe(direct.client)
  })
})
