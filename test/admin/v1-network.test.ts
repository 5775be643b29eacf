// Our own API beyond proxies and their faults: faults by id, partitions, connections, leases, the emergency stop, status.
import { Value } from '@sinclair/typebox/value'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answerSchemas } from '../../admin/openapi/components.ts'
import { buildAdminApp } from '../../admin/server.ts'
import { ManualClock, Network } from '../../proxy/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

let clock: ManualClock
let network: Network
let app: FastifyInstance

beforeEach(async () => {
  clock = new ManualClock()
  network = new Network({ seed: 5, clock })
  app = await buildAdminApp(network)
})

afterEach(async () => {
  await app.close()
  await network.close()
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

interface Called {
  readonly status: number
  readonly location: unknown
  readonly body: any
}

async function call(method: Method, url: string, body?: unknown): Promise<Called> {
  const answer = await app.inject({ method, url, ...(body !== undefined && { payload: body as object }) })
  const { location } = answer.headers
  return { status: answer.statusCode, location, body: answer.body ? answer.json() : undefined }
}

/** The body, having checked that it is what the OpenAPI document says: no field is missing, wrong or too many. */
async function read(name: keyof typeof answerSchemas, url: string): Promise<any> {
  const { status, body } = await call('GET', url)
  expect(status).toBe(200)
  checkAnswer(name, body)
  return body
}

function checkAnswer(name: keyof typeof answerSchemas, body: object): void {
  const schema = answerSchemas[name]
  expect([...Value.Errors(schema, body)].map(({ path, message }) => `${path}: ${message}`)).toEqual([])
  expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(body)))
}

async function problem(method: Method, url: string, body?: unknown): Promise<any> {
  const answer = await call(method, url, body)
  checkAnswer('Problem', answer.body)
  return answer.body
}

function inject(count: number): void {
  for (let i = 1; i <= count; i++) {
    network.injections.append({
      timeMs: i,
      proxy: i % 2 ? 'a' : 'b',
      connection: 1,
      direction: 'upstream',
      fault: 'f',
      type: 'noop',
      action: 'x',
      detail: { text: 'ü\n' },
    })
  }
}

const spec = { name: 'p', upstream: '127.0.0.1:1', from: 'app', to: 'db' }
const groups = [['app'], ['db']]

describe('faults of the whole network', () => {
  test('are added to the proxy that is named, and found by their ids', async () => {
    await call('POST', '/v1/proxies', spec)
    await call('POST', '/v1/proxies', { ...spec, name: 'q', faults: [{ type: 'noop' }] })
    const fault = { proxy: 'p', type: 'latency', attributes: { latency: 5 }, ttlMs: 1000, skip: 2, times: 3 }
    const added = await call('POST', '/v1/faults', fault)
    expect(added.status).toBe(201)
    checkAnswer('Fault', added.body)
    expect(added.location).toBe(`/v1/faults/${added.body.id}`)
    clock.advance(400)
    const all = await read('FaultList', '/v1/faults')
    expect(all.faults.map(({ proxy, name }: any) => `${proxy} ${name}`)).toEqual([
      'p latency_downstream',
      'q noop_downstream',
    ])
    expect(await read('Fault', `/v1/faults/${added.body.id}`)).toEqual({
      id: added.body.id,
      proxy: 'p',
      name: 'latency_downstream',
      type: 'latency',
      layer: 'stream',
      direction: 'downstream',
      enabled: true,
      probability: 1,
      attributes: { latency: 5, jitter: 0 },
      match: {},
      skip: 2,
      times: 3,
      every: 1,
      key: null,
      ttlMs: 1000,
      remainingMs: 600,
      lease: null,
      injections: 0,
    })
    const changed = await call('PATCH', `/v1/faults/${added.body.id}`, { enabled: false, match: { localPort: 5 } })
    expect(changed.body).toMatchObject({ enabled: false, match: { localPort: 5 }, attributes: { latency: 5 } })
    expect((await call('DELETE', `/v1/faults/${added.body.id}`)).status).toBe(204)
    expect(await problem('GET', `/v1/faults/${added.body.id}`)).toMatchObject({ code: 'fault_not_found' })
    expect((await read('FaultList', '/v1/proxies/p/faults')).faults).toEqual([])
  })

  test.each([
    [undefined, 400, 'invalid_value', 'body'],
    [[], 400, 'invalid_value', 'body'],
    [{ type: 'noop' }, 400, 'missing_field', 'proxy'],
    [{ type: 'noop', proxy: 5 }, 400, 'invalid_value', 'proxy'],
    [{ type: 'noop', proxy: 'none' }, 404, 'proxy_not_found', undefined],
    [{ type: 'noop', proxy: 'p', lease: 'none' }, 404, 'lease_not_found', 'lease'],
    [{ type: 'noop', proxy: 'p', ttl: 5 }, 400, 'unknown_field', 'ttl'],
    [{ type: 'pg_error', proxy: 'p', attributes: { code: '40001' } }, 422, 'fault_not_carried', 'type'],
  ])('%j is refused', async (body, status, code, field) => {
    await call('POST', '/v1/proxies', spec)
    const refused = await problem('POST', '/v1/faults', body)
    expect(refused).toMatchObject({ status, code })
    expect(refused.field).toBe(field)
    expect((await read('FaultList', '/v1/faults')).faults).toEqual([])
  })
})

describe('partitions', () => {
  test('are created, read and healed', async () => {
    await call('POST', '/v1/proxies', spec)
    const created = await call('POST', '/v1/partitions', { name: 'a b', groups, oneWay: true, ttlMs: 1000 })
    expect([created.status, created.location]).toEqual([201, '/v1/partitions/a%20b'])
    clock.advance(1)
    expect((await read('PartitionList', '/v1/partitions')).partitions).toEqual([
      { name: 'a b', mode: 'drop', cuts: [['app', 'db']], links: ['p'], ttlMs: 1000, remainingMs: 999, lease: null },
    ])
    await read('Partition', '/v1/partitions/a%20b')
    expect((await read('FaultList', '/v1/faults')).faults).not.toEqual([])
    expect((await call('DELETE', '/v1/partitions/a%20b')).status).toBe(204)
    expect((await read('FaultList', '/v1/faults')).faults).toEqual([])
    expect(await problem('DELETE', '/v1/partitions/a%20b')).toMatchObject({ status: 404, code: 'partition_not_found' })
  })

  test('of services that nobody names are refused', async () => {
    expect(await problem('POST', '/v1/partitions', { groups })).toMatchObject({ status: 400, field: 'groups.0.0' })
    expect((await read('PartitionList', '/v1/partitions')).partitions).toEqual([])
  })
})

describe('leases', () => {
  test('of experiments hold nothing before their turn', async () => {
    await call('POST', '/v1/proxies', spec)
    for (let count = 0; count < 4; count++) await call('POST', '/v1/leases', { ttlMs: 1000, experiment: true })
    const { leases } = await read('LeaseList', '/v1/leases')
    expect(leases.map(({ experiment, ahead }: { experiment: boolean; ahead: number }) => [experiment, ahead])).toEqual(
      [0, 0, 0, 1].map((ahead) => [true, ahead]),
    )
    const held = { name: 'n', ttlMs: 1000, lease: leases[3].id }
    for (const [path, what] of [
      ['faults', { proxy: 'p', type: 'noop', ...held }],
      ['partitions', { groups: [['app'], ['db']], ...held }],
      ['proxies', { name: 'q', upstream: 'localhost:1', lease: held.lease }],
    ] as const) {
      expect(await problem('POST', `/v1/${path}`, what)).toMatchObject({
        status: 409,
        code: 'lease_waits',
        field: 'lease',
      })
    }
    await call('DELETE', `/v1/leases/${leases[0].id}`)
    expect((await call('POST', '/v1/faults', { proxy: 'p', type: 'noop', ...held })).status).toBe(201)
  })

  test('hold what names them until they end', async () => {
    await call('POST', '/v1/proxies', spec)
    const { status, location, body } = await call('POST', '/v1/leases', { ttlMs: 1000 })
    expect([status, location]).toEqual([201, `/v1/leases/${body.id}`])
    await call('POST', '/v1/faults', { proxy: 'p', type: 'noop', lease: body.id })
    clock.advance(900)
    const lease = { id: body.id, ttlMs: 1000, remainingMs: 100, holds: 1, experiment: false, ahead: 0 }
    expect((await read('LeaseList', '/v1/leases')).leases).toEqual([lease])
    const renewed = await call('POST', `/v1/leases/${body.id}/renew`)
    expect(renewed.body).toEqual({ ...lease, remainingMs: 1000 })
    clock.advance(900)
    expect(await read('Lease', `/v1/leases/${body.id}`)).toEqual(lease)
    clock.advance(100)
    expect((await read('FaultList', '/v1/faults')).faults).toEqual([])
    expect(await problem('POST', `/v1/leases/${body.id}/renew`)).toMatchObject({ status: 404, code: 'lease_not_found' })
  })

  test('end by request', async () => {
    await call('POST', '/v1/proxies', spec)
    const { body } = await call('POST', '/v1/leases', { ttlMs: 1000 })
    await call('POST', '/v1/partitions', { groups, lease: body.id })
    expect((await call('DELETE', `/v1/leases/${body.id}`)).status).toBe(204)
    expect((await read('PartitionList', '/v1/partitions')).partitions).toEqual([])
  })
})

describe('ways back', () => {
  beforeEach(async () => {
    await call('POST', '/v1/proxies', { ...spec, faults: [{ type: 'noop' }] })
    await call('POST', '/v1/partitions', { groups })
  })

  test('heal removes faults and partitions; reset enables proxies, too', async () => {
    await call('PATCH', '/v1/proxies/p', { enabled: false })
    const healed = await call('POST', '/v1/heal')
    checkAnswer('Status', healed.body)
    expect(healed.body).toMatchObject({ faults: 0, partitions: 0, proxies: 1, enabledProxies: 0, stopped: false })
    expect((await call('POST', '/v1/reset')).body).toMatchObject({ enabledProxies: 1 })
  })

  test('stop refuses whatever would act until resume', async () => {
    const { body } = await call('POST', '/v1/faults', { proxy: 'p', type: 'noop', name: 'before' })
    expect((await call('POST', '/v1/stop')).body).toMatchObject({ stopped: true, faults: 0, partitions: 0 })
    expect((await call('POST', '/v1/stop')).status).toBe(200)
    const before = (await call('GET', '/v1/proxies')).body
    const attempts: [Method, string, object][] = [
      ['POST', '/v1/faults', { proxy: 'p', type: 'noop' }],
      ['POST', '/v1/proxies/p/faults', { type: 'noop' }],
      ['POST', '/v1/proxies', { ...spec, name: 'q', faults: [{ type: 'noop' }] }],
      ['POST', '/v1/partitions', { groups }],
    ]
    for (const attempt of attempts) {
      expect(await problem(...attempt)).toMatchObject({ status: 423, code: 'stopped' })
    }
    expect(await problem('PATCH', `/v1/faults/${body.id}`, {})).toMatchObject({ status: 404 })
    expect((await call('GET', '/v1/proxies')).body).toEqual(before)
    expect((await call('POST', '/v1/proxies', { ...spec, name: 'plain' })).status).toBe(201)
    expect((await call('POST', '/v1/resume')).body).toMatchObject({ stopped: false, proxies: 2 })
    expect((await call('POST', '/v1/faults', { proxy: 'p', type: 'noop' })).status).toBe(201)
  })

  test('nothing in a request keeps stop from stopping', async () => {
    const payload = '{"unexpected":[1,2]}'
    const headers = { 'content-type': 'application/json' }
    const answer = await app.inject({ method: 'POST', url: '/v1/stop?x=y', headers, payload })
    expect([answer.statusCode, network.stopped]).toEqual([200, true])
  })
})

test('a change of a proxy is told, once, and only if there is one', async () => {
  await call('POST', '/v1/proxies', spec)
  await call('PATCH', '/v1/proxies/p', { upstream: 'localhost:2' })
  await call('PATCH', '/v1/proxies/p', { upstream: 'localhost:2' })
  await call('PATCH', '/v1/proxies/p', { enabled: false })
  await call('POST', '/v1/reset')
  const { events } = await read('EventList', '/v1/events?types=proxy_changed')
  expect(events.map(({ detail }: any) => [detail.upstream, detail.enabled])).toEqual([
    ['localhost:2', 'true'],
    ['localhost:2', 'false'],
    ['localhost:2', 'true'],
  ])
})

test('status tells the network in numbers', async () => {
  await call('POST', '/v1/proxies', { ...spec, faults: [{ type: 'noop', enabled: false }, { type: 'stall' }] })
  await call('POST', '/v1/leases', { ttlMs: 1000 })
  expect(await read('Status', '/v1/status')).toEqual({
    version: expect.any(String),
    seed: 5,
    startedMs: expect.any(Number),
    stopped: false,
    proxies: 1,
    enabledProxies: 1,
    faults: 2,
    enabledFaults: 1,
    partitions: 0,
    leases: 1,
    stressors: 0,
    connections: 0,
    injections: 0,
    events: 4,
    streams: 0,
  })
})

describe('connections', () => {
  test('are listed with what they carry and what may act on them, and cut', async () => {
    await using upstream = await RawServer.start()
    const faults = [
      { type: 'stall', match: { connection: 2 } },
      { type: 'noop', enabled: false },
    ]
    const proxy = await network.createProxy({ name: 'a:b', upstream: upstream.address, faults })
    const connect = async (): Promise<{ client: RawSocket; server: RawSocket }> => {
      const accepted = upstream.next()
      const client = await RawSocket.connect(portOf(proxy))
      return { client, server: await accepted }
    }
    const one = await connect()
    const two = await connect()
    one.client.write('12345')
    await one.server.untilBytes(5)
    two.server.write('123')
    clock.advance(1234)
    const heldBytes = async (): Promise<number> => (await call('GET', '/v1/connections')).body.connections[1].heldBytes
    await expect.poll(heldBytes).toBeGreaterThan(0)
    const { total, connections } = await read('ConnectionList', '/v1/connections?proxy=a%3Ab')
    expect(total).toBe(2)
    expect(connections[0]).toEqual({
      id: 'a:b:1',
      proxy: 'a:b',
      number: 1,
      clientAddress: '127.0.0.1',
      ageMs: 1234,
      traffic: {
        upstream: { receivedBytes: 5, sentBytes: 5 },
        downstream: { receivedBytes: 0, sentBytes: 0 },
      },
      heldBytes: 0,
      faults: [],
    })
    expect(connections[1]).toMatchObject({ id: 'a:b:2', faults: ['stall_downstream'] })
    expect((await call('GET', '/v1/connections?limit=1')).body).toMatchObject({
      total: 2,
      connections: [{ number: 1 }],
    })
    expect((await call('DELETE', '/v1/connections/a%3Ab%3A1')).status).toBe(204)
    expect([await one.client.untilEnded(), await one.server.untilEnded()]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect((await call('DELETE', '/v1/connections/a%3Ab%3A2?how=close')).status).toBe(204)
    expect(await two.server.untilEnded()).toBe('FIN')
    await expect.poll(async () => (await call('GET', '/v1/connections')).body.total).toBe(0)
  })

  test.each([
    ['DELETE', '/v1/connections/p%3A1', 404, 'connection_not_found', undefined],
    ['DELETE', '/v1/connections/p', 404, 'connection_not_found', undefined],
    ['DELETE', '/v1/connections/p%3A1?how=gently', 400, 'invalid_value', 'how'],
    ['GET', '/v1/connections?proxy=none', 404, 'proxy_not_found', undefined],
    ['GET', '/v1/connections?limit=0', 400, 'invalid_value', 'limit'],
  ] as const)('%s %s: %i %s', async (method, url, status, code, field) => {
    const refused = await problem(method, url)
    expect(refused).toMatchObject({ status, code })
    expect(refused.field).toBe(field)
  })
})

describe('injections', () => {
  test('come as lines, if that is what is accepted', async () => {
    inject(1000)
    await read('InjectionList', '/v1/injections')
    const headers = { accept: 'text/html, application/x-ndjson;q=0.9' }
    const answer = await app.inject({ url: '/v1/injections?proxy=b&limit=450', headers })
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    const lines = answer.body.split('\n')
    expect([lines.length, lines.at(-1)]).toEqual([451, ''])
    expect(JSON.parse(lines[0]!)).toMatchObject({ sequence: 102, proxy: 'b', detail: { text: 'ü\n' } })
    for (const accept of ['*/*', 'application/json', 'application/x-ndjson;q=0']) {
      expect((await app.inject({ url: '/v1/injections', headers: { accept } })).json().total).toBe(1000)
    }
  })

  test('none are no lines', async () => {
    const answer = await app.inject({ url: '/v1/injections', headers: { accept: 'application/x-ndjson' } })
    expect([answer.statusCode, answer.body]).toEqual([200, ''])
  })
})

test('what is secret is not shown, and what is not in a schema is not lost', async () => {
  const created = await call('POST', '/v1/proxies', { ...spec, protocol: 'http', strict: true })
  expect(created.body).toMatchObject({ strict: true, headerFaults: false })
  const fault = { type: 'http_abort', match: { path: { glob: '/a/*' } }, attributes: { status: 503 } }
  const added = await call('POST', '/v1/proxies/p/faults', fault)
  expect(added.body).toMatchObject(fault)
})

test('the types of faults are listed with their schemas', async () => {
  const { faultTypes } = await read('FaultTypeList', '/v1/fault-types')
  const latencies = faultTypes.filter(({ type }: { type: string }) => type === 'latency')
  expect(latencies.map(({ protocols }: any) => protocols)).toEqual([['tcp', 'http', 'postgres'], ['udp']])
  const abort = faultTypes.find(({ type }: { type: string }) => type === 'http_abort')
  expect(abort).toMatchObject({ layer: 'message', protocols: ['http'] })
  expect(abort.attributes.properties.status).toMatchObject({ type: 'integer' })
  expect(abort.match.properties).toHaveProperty('path')
})
