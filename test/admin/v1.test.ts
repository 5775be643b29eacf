// Our own API: driven by the registry, strict, with problem documents.
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { buildAdminApp } from '../../admin/server.ts'
import { faultTypes, Network } from '../../proxy/index.ts'

let network: Network
let app: FastifyInstance

beforeEach(async () => {
  network = new Network({ seed: 5 })
  app = await buildAdminApp(network)
})

afterEach(async () => {
  await app.close()
  await network.close()
})

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT'

async function call(method: Method, url: string, body?: unknown): Promise<{ status: number; type: string; body: any }> {
  const answer = await app.inject({ method, url, ...(body !== undefined && { payload: body as object }) })
  return {
    status: answer.statusCode,
    type: String(answer.headers['content-type'] ?? ''),
    body: answer.body ? answer.json() : undefined,
  }
}

async function postToxic(payload: string): Promise<number> {
  return (await app.inject({ method: 'POST', url: '/proxies/p/toxics', payload })).statusCode
}

const spec = { name: 'p', upstream: '127.0.0.1:1' }

describe('proxies', () => {
  test('are created with faults in one call, read, changed and removed', async () => {
    const created = await call('POST', '/v1/proxies', {
      ...spec,
      faults: [{ type: 'latency', direction: 'upstream', attributes: { latency: 5 } }],
    })
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({
      name: 'p',
      protocol: 'tcp',
      enabled: true,
      faults: [
        {
          name: 'latency_upstream',
          type: 'latency',
          layer: 'stream',
          direction: 'upstream',
          probability: 1,
          attributes: { latency: 5, jitter: 0 },
          injections: 0,
        },
      ],
    })
    expect(created.body.listen).toMatch(/^127\.0\.0\.1:\d+$/)
    expect((await call('GET', '/v1/proxies')).body.proxies).toHaveLength(1)
    expect((await call('PATCH', '/v1/proxies/p', { enabled: false })).body.enabled).toBe(false)
    expect((await call('GET', '/v1/proxies/p')).body.enabled).toBe(false)
    expect((await call('DELETE', '/v1/proxies/p')).status).toBe(204)
    expect((await call('GET', '/v1/proxies/p')).status).toBe(404)
  })

  test('can have any name', async () => {
    for (const name of ['a b', 'ü/ö?#%', '__proto__', 'constructor', 'x'.repeat(1000)]) {
      expect((await call('POST', '/v1/proxies', { ...spec, name })).status).toBe(201)
      expect((await call('GET', `/v1/proxies/${encodeURIComponent(name)}`)).body.name).toBe(name)
      expect(Object.keys((await call('GET', '/proxies')).body)).toContain(name)
      expect((await call('DELETE', `/v1/proxies/${encodeURIComponent(name)}`)).status).toBe(204)
    }
  })
})

describe('faults', () => {
  /** Of the types that can do nothing by default. */
  const attributesOf: Record<string, object> = {
    http_delay: { delayMs: 1 },
    http_rate_limit: { limit: 1 },
    http_corrupt: { rate: 0.1 },
    http_malformed: { kind: 'garbage' },
    http_headers: { remove: ['x-a'] },
    websocket_delay: { delayMs: 1 },
    websocket_corrupt: { rate: 0.1 },
    connect_delay: { delayMs: 1 },
    max_connections: { connections: 1 },
    max_lifetime: { lifetimeMs: 1 },
    idle_timeout: { idleMs: 1 },
    pg_error: { code: '40001' },
    pg_delay: { delayMs: 1 },
    pg_throttle: { rowsPerSecond: 1 },
  }

  test.each(faultTypes())('of the type %s can be added, read, changed and removed', async (type) => {
    await call('POST', '/v1/proxies', { ...spec, protocol: type.startsWith('pg_') ? 'postgres' : 'http' })
    const fault = { type, name: 'f', attributes: attributesOf[type] ?? {} }
    expect(await call('POST', '/v1/proxies/p/faults', fault)).toMatchObject({ status: 201 })
    expect((await call('GET', '/v1/proxies/p/faults')).body.faults).toHaveLength(1)
    // A listener is closed for all or for none.
    const probability = type === 'refuse' ? 1 : 0.5
    expect((await call('PATCH', '/v1/proxies/p/faults/f', { probability })).body.probability).toBe(probability)
    expect((await call('GET', '/v1/proxies/p/faults/f')).body.type).toBe(type)
    expect((await call('DELETE', '/v1/proxies/p/faults/f')).status).toBe(204)
    expect((await call('GET', '/v1/proxies/p/faults/f')).status).toBe(404)
  })

  test('keep attributes that a change does not name', async () => {
    await call('POST', '/v1/proxies', spec)
    await call('POST', '/v1/proxies/p/faults', { type: 'latency', name: 'f', attributes: { latency: 7, jitter: 3 } })
    const changed = await call('PATCH', '/v1/proxies/p/faults/f', { attributes: { latency: 9 } })
    expect(changed.body.attributes).toEqual({ latency: 9, jitter: 3 })
  })
})

describe('events', () => {
  test('are listed and filtered', async () => {
    for (const proxy of ['a', 'b', 'a']) {
      network.events.append({ timeMs: 1, type: 'opaque', proxy, connection: 1, detail: { reason: 'x' } })
    }
    const all = (await call('GET', '/v1/events')).body
    expect(all.total).toBe(3)
    expect(all.events[0]).toEqual({
      sequence: 1,
      timeMs: 1,
      type: 'opaque',
      proxy: 'a',
      connection: 1,
      detail: { reason: 'x' },
    })
    const since = (await call('GET', '/v1/events?proxy=a&since=1')).body
    expect(since.events.map((event: { sequence: number }) => event.sequence)).toEqual([3])
    expect((await call('GET', '/v1/events?limit=x')).body).toMatchObject({ status: 400, field: 'limit' })
  })
})

describe('injections', () => {
  test('are listed with the seed, filtered and limited', async () => {
    for (let i = 1; i <= 5; i++) {
      network.injections.append({
        timeMs: i,
        proxy: i % 2 ? 'a' : 'b',
        connection: 1,
        direction: 'upstream',
        fault: 'f',
        type: 'noop',
        action: 'x',
        detail: {},
      })
    }
    const all = (await call('GET', '/v1/injections')).body
    expect(all).toMatchObject({ seed: 5, total: 5 })
    expect(all.injections.map((i: { sequence: number }) => i.sequence)).toEqual([1, 2, 3, 4, 5])
    const some = (await call('GET', '/v1/injections?proxy=a&since=1&limit=1')).body
    expect(some.injections.map((i: { sequence: number }) => i.sequence)).toEqual([5])
  })
})

describe('bad input', () => {
  const cases: [Method, string, unknown, number, string, string | undefined][] = [
    ['POST', '/v1/proxies', undefined, 400, 'invalid_value', 'body'],
    ['POST', '/v1/proxies', [], 400, 'invalid_value', 'body'],
    ['POST', '/v1/proxies', { upstream: 'a:1' }, 400, 'missing_field', 'name'],
    ['POST', '/v1/proxies', { name: 'q' }, 400, 'missing_field', 'upstream'],
    ['POST', '/v1/proxies', { ...spec, name: '' }, 400, 'invalid_value', 'name'],
    ['POST', '/v1/proxies', { ...spec, name: 5 }, 400, 'invalid_value', 'name'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', protocol: 'smtp' }, 400, 'invalid_value', 'protocol'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', enabled: 'yes' }, 400, 'invalid_value', 'enabled'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', lsten: 'a:1' }, 400, 'unknown_field', 'lsten'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', listen: 'nonsense' }, 400, 'invalid_address', 'listen'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', listen: '127.0.0.1:99999' }, 400, 'invalid_address', 'listen'],
    ['POST', '/v1/proxies', { ...spec, name: 'q', faults: 'latency' }, 400, 'invalid_value', 'faults'],
    [
      'POST',
      '/v1/proxies',
      { ...spec, name: 'q', faults: [{ type: 'latncy' }] },
      400,
      'unknown_fault_type',
      'faults.0.type',
    ],
    ['POST', '/v1/proxies', { ...spec, name: 'q', faults: [null] }, 400, 'unknown_fault_type', 'faults.0.type'],
    ['POST', '/v1/proxies', spec, 409, 'proxy_exists', 'name'],
    ['GET', '/v1/proxies/none', undefined, 404, 'proxy_not_found', undefined],
    ['PATCH', '/v1/proxies/none', {}, 404, 'proxy_not_found', undefined],
    ['PATCH', '/v1/proxies/p', { enabled: 1 }, 400, 'invalid_value', 'enabled'],
    ['PATCH', '/v1/proxies/p', { name: 'other' }, 400, 'unknown_field', 'name'],
    ['DELETE', '/v1/proxies/none', undefined, 404, 'proxy_not_found', undefined],
    ['POST', '/v1/proxies/p/faults', {}, 400, 'unknown_fault_type', 'type'],
    ['POST', '/v1/proxies/p/faults', { type: 'nope' }, 400, 'unknown_fault_type', 'type'],
    ['POST', '/v1/proxies/p/faults', { type: 'noop', direction: 'sideways' }, 400, 'invalid_value', 'direction'],
    ['POST', '/v1/proxies/p/faults', { type: 'noop', probability: 2 }, 400, 'invalid_value', 'probability'],
    ['POST', '/v1/proxies/p/faults', { type: 'noop', probabilty: 1 }, 400, 'unknown_field', 'probabilty'],
    [
      'POST',
      '/v1/proxies/p/faults',
      { type: 'latency', attributes: { latency: -1 } },
      400,
      'invalid_value',
      'attributes.latency',
    ],
    [
      'POST',
      '/v1/proxies/p/faults',
      { type: 'latency', attributes: { latency: 1.5 } },
      400,
      'invalid_value',
      'attributes.latency',
    ],
    [
      'POST',
      '/v1/proxies/p/faults',
      { type: 'latency', attributes: { latncy: 1 } },
      400,
      'unknown_field',
      'attributes.latncy',
    ],
    ['POST', '/v1/proxies/p/faults', { type: 'latency', attributes: [] }, 400, 'invalid_value', 'attributes'],
    ['POST', '/v1/proxies/p/faults', { type: 'noop' }, 409, 'fault_exists', 'name'],
    ['PATCH', '/v1/proxies/p/faults/noop_downstream', { type: 'latency' }, 400, 'unknown_field', 'type'],
    ['PATCH', '/v1/proxies/p/faults/noop_downstream', { probability: 'x' }, 400, 'invalid_value', 'probability'],
    ['PATCH', '/v1/proxies/p/faults/none', {}, 404, 'fault_not_found', undefined],
    ['DELETE', '/v1/proxies/p/faults/none', undefined, 404, 'fault_not_found', undefined],
    ['GET', '/v1/injections?limit=many', undefined, 400, 'invalid_value', 'limit'],
    ['GET', '/v1/injections?limit=0', undefined, 400, 'invalid_value', 'limit'],
    ['GET', '/v1/injections?proxi=p', undefined, 400, 'unknown_field', 'proxi'],
    ['GET', '/v1/nope', undefined, 404, 'route_not_found', undefined],
    ['PUT', '/v1/proxies', {}, 405, 'method_not_allowed', 'method'],
  ]

  test.each(cases)('%s %s %j: %i %s', async (method, url, body, status, code, field) => {
    await call('POST', '/v1/proxies', { ...spec, faults: [{ type: 'noop' }] })
    const before = (await call('GET', '/v1/proxies')).body
    const answer = await call(method, url, body)
    expect(answer.type).toBe('application/problem+json; charset=utf-8')
    expect(answer.body).toMatchObject({
      status,
      code,
      type: `urn:faultline:problem:${code}`,
      title: expect.any(String),
    })
    expect(answer.status).toBe(status)
    expect(answer.body.field).toBe(field)
    if (field !== undefined && code !== 'proxy_exists' && code !== 'fault_exists')
      expect(answer.body.detail).toMatch(/expected|missing port|invalid port/)
    expect((await call('GET', '/v1/proxies')).body).toEqual(before)
  })

  test('that is not JSON, is not labelled JSON, or is too large', async () => {
    const headers = { 'content-type': 'application/json' }
    const broken = await app.inject({ method: 'POST', url: '/v1/proxies', headers, payload: '{"name":' })
    expect(broken.json()).toMatchObject({ status: 400, code: 'invalid_value', field: 'body', expected: 'JSON' })
    const form = await app.inject({
      method: 'POST',
      url: '/v1/proxies',
      headers: { 'content-type': 'text/plain' },
      payload: '{}',
    })
    expect(form.json()).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    const large = await app.inject({
      method: 'POST',
      url: '/v1/proxies',
      headers,
      payload: `"${'x'.repeat(2_000_000)}"`,
    })
    expect(large.json()).toMatchObject({ status: 413, code: 'body_too_large' })
  })

  test('a web page is refused on every path', async () => {
    for (const url of ['/v1/proxies', '/proxies', '/healthz', '/metrics', '/nope']) {
      const answer = await app.inject({ method: 'GET', url, headers: { 'user-agent': 'Mozilla/5.0 (X11)' } })
      expect(answer.statusCode).toBe(403)
    }
  })

  test('however deep, long or odd it is', async () => {
    await call('POST', '/v1/proxies', spec)
    const deep = '['.repeat(100_000) + ']'.repeat(100_000)
    const headers = { 'content-type': 'application/json' }
    for (const url of ['/v1/proxies', '/proxies', '/populate', '/proxies/p/toxics', '/v1/proxies/p/faults']) {
      const answer = await app.inject({ method: 'POST', url, headers, payload: deep })
      expect([url, answer.statusCode]).toEqual([url, 400])
    }
    for (const name of ['\ud800', 'x'.repeat(5000)]) {
      const fault = { type: 'noop', name }
      expect((await call('POST', '/v1/proxies', { ...spec, name })).body).toMatchObject({ status: 400, field: 'name' })
      expect((await call('POST', '/v1/proxies/p/faults', fault)).body).toMatchObject({ status: 400, field: 'name' })
      expect((await call('POST', '/proxies/p/toxics', fault)).status).toBe(400)
    }
    expect(await postToxic('{"type":"noop","toxicity":1e999}')).toBe(400)
    for (const bytes of ['9223372036854775807', '-9223372036854775808']) {
      expect(await postToxic(`{"type":"limit_data","name":"${bytes}","attributes":{"bytes":${bytes}}}`)).toBe(200)
    }
    expect((await call('GET', '/v1/proxies')).body.proxies).toHaveLength(1)
  })

  test('populates that come at once each find their proxies', async () => {
    const body = ['a', 'b'].map((name) => ({ name, listen: 'localhost:0', upstream: 'x:1' }))
    const answers = await Promise.all([1, 2, 3, 4].map(() => call('POST', '/populate', body)))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  })

  test('a suggestion comes with a typo', async () => {
    expect((await call('POST', '/v1/proxies', { ...spec, lisen: 'a:1' })).body.detail).toContain(
      'did you mean "listen"?',
    )
    await call('POST', '/v1/proxies', spec)
    expect((await call('POST', '/v1/proxies/p/faults', { type: 'latncy' })).body.detail).toContain(
      'did you mean "latency"?',
    )
  })
})
