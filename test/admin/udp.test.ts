// UDP proxies in both APIs.
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { buildAdminApp } from '../../admin/server.ts'
import { faultTypes, Network } from '../../proxy/index.ts'

let network: Network
let app: FastifyInstance

beforeEach(async () => {
  network = new Network({ seed: 5 })
  app = await buildAdminApp(network)
  await call('POST', '/v1/proxies', { name: 'p', protocol: 'udp', upstream: '127.0.0.1:9', idleTimeoutMs: 500 })
})

afterEach(async () => {
  await app.close()
  await network.close()
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

async function call(method: Method, url: string, body?: unknown): Promise<{ status: number; body: any }> {
  const answer = await app.inject({ method, url, ...(body !== undefined && { payload: body as object }) })
  return { status: answer.statusCode, body: answer.body ? answer.json() : undefined }
}

describe('our own API', () => {
  test('shows protocol, options and counters', async () => {
    expect((await call('GET', '/v1/proxies/p')).body).toMatchObject({
      protocol: 'udp',
      idleTimeoutMs: 500,
      maxSessions: 10_000,
      enabled: true,
      connections: 0,
      counters: { acceptedConnections: 0 },
    })
  })

  test.each(faultTypes('udp'))('takes, changes and removes a fault of the type %s', async (type) => {
    const added = await call('POST', '/v1/proxies/p/faults', { type, name: 'f' })
    expect(added).toMatchObject({ status: 201, body: { type, layer: 'datagram', injections: 0 } })
    // A socket is closed for all or for none.
    const probability = type === 'refuse' ? 1 : 0.5
    expect((await call('PATCH', '/v1/proxies/p/faults/f', { probability })).body.probability).toBe(probability)
    expect((await call('DELETE', '/v1/proxies/p/faults/f')).status).toBe(204)
  })

  test('refuses what the proxy does not carry, by its type', async () => {
    const refused = await call('POST', '/v1/proxies/p/faults', { type: 'slicer' })
    expect(refused.status).toBeGreaterThanOrEqual(400)
    expect(refused.body).toMatchObject({ code: 'fault_not_carried', field: 'type' })
  })
})

describe("Toxiproxy's API", () => {
  test('shows the proxy, and its faults as toxics', async () => {
    await call('POST', '/v1/proxies/p/faults', { type: 'drop', direction: 'upstream', attributes: { rate: 0.5 } })
    expect((await call('GET', '/proxies/p')).body).toMatchObject({
      name: 'p',
      upstream: '127.0.0.1:9',
      enabled: true,
      toxics: [{ name: 'drop_upstream', type: 'drop', stream: 'upstream', toxicity: 1, attributes: { rate: 0.5 } }],
    })
  })

  test('adds, changes and removes toxics', async () => {
    const attributes = { latency: 30, keepOrder: true }
    const added = await call('POST', '/proxies/p/toxics', { type: 'latency', attributes })
    expect(added).toMatchObject({ status: 200, body: { name: 'latency_downstream', attributes } })
    const changed = await call('POST', '/proxies/p/toxics/latency_downstream', { attributes: { latency: 40 } })
    expect(changed.body.attributes).toMatchObject({ latency: 40, keepOrder: true })
    expect((await call('DELETE', '/proxies/p/toxics/latency_downstream')).status).toBe(204)
    expect([...(network.proxy('p')?.faults ?? [])]).toEqual([])
  })

  test('refuses types of streams, and values out of bounds', async () => {
    expect(await call('POST', '/proxies/p/toxics', { type: 'slicer' })).toMatchObject({
      status: 400,
      body: { error: 'invalid toxic type' },
    })
    expect((await call('POST', '/proxies/p/toxics', { type: 'drop', attributes: { rate: 2 } })).status).toBe(400)
    await call('POST', '/proxies/p/toxics', { type: 'drop', attributes: { rate: 0.2 } })
    expect((await call('POST', '/proxies/p/toxics/drop_downstream', { attributes: { rate: 2 } })).status).toBe(400)
    expect(network.proxy('p')?.fault('drop_downstream')?.attributes['rate']).toBe(0.2)
    expect([...(network.proxy('p')?.faults ?? [])]).toHaveLength(1)
  })
})
