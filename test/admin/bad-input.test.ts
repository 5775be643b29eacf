// What the API answers to requests that are wrong, each in its own way; and that none of them changes anything.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { send, sendRaw, type AdminAnswer, type AdminRequest } from '../support/admin-requests.ts'

const TOKEN = 'the-right-token'
const authorization = `Bearer ${TOKEN}`

let server: AdminServer
/** Of the proxy `q`, so that nothing else can listen there. */
let takenPort: number

beforeAll(async () => {
  server = await startAdminServer({ port: 0, token: TOKEN })
  const { network } = server
  await network.createProxy({ name: 'p', upstream: '127.0.0.1:1', faults: [{ type: 'noop', name: 'f' }] })
  await network.createProxy({
    name: 'h',
    upstream: '127.0.0.1:1',
    protocol: 'http',
    enabled: false,
    from: 'a',
    to: 'b',
  })
  takenPort = (await network.createProxy({ name: 'q', upstream: '127.0.0.1:1' })).port!
  network.partition({ name: 'cut', groups: [['a'], ['b']] })
})
afterAll(() => server.close())

/** All that can be seen of the server, through both APIs and from inside. */
async function state(): Promise<unknown> {
  const views: Record<string, unknown> = {}
  for (const path of ['/v1/proxies', '/v1/faults', '/v1/partitions', '/v1/leases', '/v1/injections', '/proxies']) {
    const { status, body } = await send(server.url, { path, headers: { authorization } })
    views[path] = { status, body }
  }
  const { changes, events, stopped, partitions } = server.network
  const inside = {
    changes: changes.total,
    events: events.total,
    stopped,
    partitions: partitions.map(({ name }) => name),
  }
  return { views, inside }
}

interface Bad extends Partial<AdminRequest> {
  /** Sent as JSON; `body` is sent as it is. */
  readonly json?: unknown
  readonly status: number
  readonly code: string
  readonly field?: string
  /** What the answer says it expected. */
  readonly expected?: string | RegExp
  /** What the message must have beyond the field and the expectation. */
  readonly detail?: string | RegExp
}

/** POST /v1/proxies, with one thing wrong. */
const proxy = (json: object): Pick<Bad, 'method' | 'path' | 'json'> => ({
  method: 'POST',
  path: '/v1/proxies',
  json: { name: 'new', upstream: '127.0.0.1:1', ...json },
})
/** POST /v1/proxies/p/faults, with one thing wrong. */
const fault = (json: object): Pick<Bad, 'method' | 'path' | 'json'> => ({
  method: 'POST',
  path: '/v1/proxies/p/faults',
  json: { type: 'latency', ...json },
})
const post = (path: string, json?: unknown): Pick<Bad, 'method' | 'path' | 'json'> => ({ method: 'POST', path, json })
const patch = (path: string, json?: unknown): Pick<Bad, 'method' | 'path' | 'json'> => ({ method: 'PATCH', path, json })

const invalid = { status: 400, code: 'invalid_value' } as const
const unknown = { status: 400, code: 'unknown_field' } as const
const missing = { status: 400, code: 'missing_field' } as const

const kinds: Record<string, Bad> = {
  // ---- bodies that are no JSON objects
  'no body': { ...post('/v1/proxies'), ...invalid, field: 'body', expected: 'an object' },
  'JSON that is cut off': { ...post('/v1/proxies'), body: '{"name":', ...invalid, field: 'body', expected: 'JSON' },
  'JSON with a comma too many': {
    ...post('/v1/proxies'),
    body: '{"name":"new",}',
    ...invalid,
    field: 'body',
    expected: 'JSON',
  },
  'JSON with a number beyond all': {
    ...post('/v1/proxies/p/faults'),
    body: '{"type":"latency","attributes":{"latency":1e999}}',
    ...invalid,
    field: 'attributes.latency',
    expected: /^an integer/,
  },
  'bytes that are not UTF-8, where a name should be': {
    ...post('/v1/proxies'),
    body: '{"name":"\\ud800","upstream":"x:1"}',
    ...invalid,
    field: 'name',
    expected: /well-formed Unicode/,
  },
  'a list for an object': { ...post('/v1/proxies', []), ...invalid, field: 'body', expected: 'an object' },
  'text for an object': { ...post('/v1/proxies', 'p'), ...invalid, field: 'body', expected: 'an object' },
  'null for an object': { ...patch('/v1/proxies/p', null), ...invalid, field: 'body', expected: 'an object' },
  'JSON that nests 65 deep': {
    ...post('/v1/proxies'),
    body: '['.repeat(65) + ']'.repeat(65),
    ...invalid,
    field: 'body',
    expected: 'JSON that nests at most 64 levels deep',
  },
  'JSON that nests 100,000 deep in a field': {
    ...post('/v1/proxies'),
    body: `{"name":"new","upstream":"x:1","faults":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    ...invalid,
    field: 'body',
    expected: 'JSON that nests at most 64 levels deep',
  },
  'a huge body': {
    ...post('/v1/proxies', 'x'.repeat(1024 * 1024)),
    status: 413,
    code: 'body_too_large',
    field: 'body',
    expected: 'at most 1048576 bytes',
  },

  // ---- content types
  'a form': {
    ...post('/v1/proxies'),
    body: 'name=new&upstream=x:1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
    field: 'content-type',
    expected: 'application/json',
  },
  'JSON that says it is text, as a page may send without asking': {
    ...patch('/v1/proxies/p'),
    body: '{"enabled":false}',
    headers: { 'content-type': 'text/plain' },
    status: 415,
    code: 'unsupported_media_type',
    field: 'content-type',
    expected: 'application/json',
  },
  'JSON without a content type': {
    ...post('/v1/proxies/p/faults'),
    body: '{"type":"latency"}',
    headers: {},
    status: 415,
    code: 'unsupported_media_type',
    field: 'content-type',
    expected: 'application/json',
  },
  'a form to a path that needs no body': {
    method: 'DELETE',
    path: '/v1/proxies/p',
    body: 'really=yes',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
    field: 'content-type',
    expected: 'application/json',
  },

  // ---- fields
  'a missing name': { ...post('/v1/proxies', { upstream: 'x:1' }), ...missing, field: 'name', expected: /string/ },
  'a missing upstream': { ...post('/v1/proxies', { name: 'new' }), ...missing, field: 'upstream', expected: /string/ },
  'an unknown field': {
    ...proxy({ lisen: ':1' }),
    ...unknown,
    field: 'lisen',
    expected: /^one of name, /,
    detail: 'did you mean "listen"?',
  },
  'an unknown field of a change': {
    ...patch('/v1/proxies/p', { enable: false }),
    ...unknown,
    field: 'enable',
    expected: /enabled/,
    detail: 'did you mean "enabled"?',
  },
  'an unknown field of a fault': {
    ...fault({ probabilty: 1 }),
    ...unknown,
    field: 'probabilty',
    expected: /probability/,
    detail: 'did you mean "probability"?',
  },
  'an unknown attribute': {
    ...fault({ attributes: { latncy: 1 } }),
    ...unknown,
    field: 'attributes.latncy',
    expected: /latency/,
    detail: 'did you mean "latency"?',
  },
  'an unknown attribute of a fault in a new proxy': {
    ...proxy({ faults: [{ type: 'noop' }, { type: 'latency', attributes: { jiter: 1 } }] }),
    ...unknown,
    field: 'faults.1.attributes.jiter',
    expected: /jitter/,
    detail: 'did you mean "jitter"?',
  },
  'a field named __proto__': {
    ...post('/v1/proxies'),
    body: '{"name":"new","upstream":"x:1","__proto__":{"enabled":false}}',
    ...unknown,
    field: '__proto__',
    expected: /^one of name, /,
  },
  "a field of another protocol's": { ...proxy({ tlsVerify: 'full' }), ...unknown, field: 'tlsVerify', expected: /tcp/ },
  'a field that can not be changed': {
    ...patch('/v1/proxies/p', { name: 'z' }),
    ...unknown,
    field: 'name',
    expected: /./,
  },

  // ---- types and ranges
  'a number for a name': { ...proxy({ name: 5 }), ...invalid, field: 'name', expected: /string/ },
  'an empty name': { ...proxy({ name: '' }), ...invalid, field: 'name', expected: 'a non-empty string' },
  'a name of 5,000 characters': { ...proxy({ name: 'x'.repeat(5000) }), ...invalid, field: 'name', expected: /4096/ },
  'text for a boolean': { ...proxy({ enabled: 'yes' }), ...invalid, field: 'enabled', expected: 'true or false' },
  'an object for a list': { ...proxy({ faults: {} }), ...invalid, field: 'faults', expected: 'an array' },
  'a fraction for an integer': {
    ...fault({ attributes: { latency: 1.5 } }),
    ...invalid,
    field: 'attributes.latency',
    expected: /^an integer/,
  },
  'text for a number': {
    ...fault({ attributes: { latency: '100' } }),
    ...invalid,
    field: 'attributes.latency',
    expected: /^an integer/,
    detail: 'got "100"',
  },
  'a negative delay': {
    ...fault({ attributes: { latency: -1 } }),
    ...invalid,
    field: 'attributes.latency',
    expected: /0/,
  },
  'a time to live of a million years': {
    ...fault({ ttlMs: 3e16 }),
    ...invalid,
    field: 'ttlMs',
    expected: /^an integer from 1/,
  },
  'a probability above 1': { ...fault({ probability: 1.01 }), ...invalid, field: 'probability', expected: /0 to 1/ },
  'a time to live of nothing': { ...fault({ ttlMs: 0 }), ...invalid, field: 'ttlMs', expected: /^an integer/ },
  'a direction that there is not': {
    ...fault({ direction: 'sideways' }),
    ...invalid,
    field: 'direction',
    expected: /upstream/,
  },
  'a protocol that there is not': { ...proxy({ protocol: 'smtp' }), ...invalid, field: 'protocol', expected: /"tcp"/ },
  'a list for attributes': { ...fault({ attributes: [] }), ...invalid, field: 'attributes', expected: 'an object' },
  'a fault type that there is not': {
    ...fault({ type: 'latncy' }),
    status: 400,
    code: 'unknown_fault_type',
    field: 'type',
    expected: /latency/,
    detail: 'did you mean "latency"?',
  },
  'null for a fault': {
    ...proxy({ faults: [null] }),
    status: 400,
    code: 'unknown_fault_type',
    field: 'faults.0.type',
    expected: /latency/,
  },
  'a fault that the protocol does not carry': {
    ...fault({ type: 'http_abort', attributes: { status: 503 } }),
    status: 422,
    code: 'fault_not_carried',
    field: 'type',
    expected: /./,
  },
  'a lease that there is not': { ...fault({ lease: 'none' }), status: 404, code: 'lease_not_found', field: 'lease' },

  // ---- addresses
  'an upstream that can not be an address': {
    ...proxy({ upstream: 'localhost:65536' }),
    status: 400,
    code: 'invalid_address',
    field: 'upstream',
    expected: 'host:port',
  },
  'a new upstream that can not be an address': {
    ...patch('/v1/proxies/p', { upstream: 'nonsense' }),
    status: 400,
    code: 'invalid_address',
    field: 'upstream',
    expected: 'host:port',
  },
  'an address without a port': {
    ...proxy({ listen: 'localhost' }),
    status: 400,
    code: 'invalid_address',
    field: 'listen',
    expected: 'host:port',
  },
  'a port beyond 65535': {
    ...proxy({ listen: 'localhost:65536' }),
    status: 400,
    code: 'invalid_address',
    field: 'listen',
    expected: 'host:port',
  },
  'an address of another machine': {
    ...proxy({ listen: '192.0.2.1:0' }),
    status: 409,
    code: 'listen_failed',
    field: 'listen',
  },

  // ---- names that are taken, or not there
  'the name of another proxy': {
    ...proxy({ name: 'p' }),
    status: 409,
    code: 'proxy_exists',
    field: 'name',
    expected: 'a name that is not taken',
  },
  'the name of another fault': {
    ...fault({ name: 'f' }),
    status: 409,
    code: 'fault_exists',
    field: 'name',
    expected: 'a name that is not taken',
  },
  'a proxy that there is not': {
    ...patch('/v1/proxies/none', { enabled: false }),
    status: 404,
    code: 'proxy_not_found',
    detail: '"none"',
  },
  'a fault that there is not': {
    method: 'DELETE',
    path: '/v1/proxies/p/faults/none',
    status: 404,
    code: 'fault_not_found',
    detail: '"none"',
  },

  'a fault id that there is not': {
    ...patch('/v1/faults/f999', { probability: 0 }),
    status: 404,
    code: 'fault_not_found',
    detail: '"f999"',
  },
  'the name of another partition': {
    ...post('/v1/partitions', { name: 'cut', groups: [['a'], ['b']] }),
    ...invalid,
    field: 'name',
    expected: 'a name that no other partition has',
  },
  'a partition of one group': {
    ...post('/v1/partitions', { groups: [['a']] }),
    ...invalid,
    field: 'groups',
    expected: /./,
  },
  'an unknown field of a partition': {
    ...post('/v1/partitions', { groups: [['a'], ['b']], symetric: true }),
    ...unknown,
    field: 'symetric',
    expected: /groups/,
  },
  'a partition that there is not': {
    method: 'DELETE',
    path: '/v1/partitions/none',
    status: 404,
    code: 'partition_not_found',
    detail: '"none"',
  },
  'a lease without a time': { ...post('/v1/leases', {}), ...missing, field: 'ttlMs', expected: /^an integer/ },
  'a lease for a million years': {
    ...post('/v1/leases', { ttlMs: 3e16 }),
    ...invalid,
    field: 'ttlMs',
    expected: /^an integer/,
  },
  'a lease to renew that there is not': {
    ...post('/v1/leases/none/renew'),
    status: 404,
    code: 'lease_not_found',
    field: 'id',
    detail: '"none"',
  },
  'a connection that there is not': {
    method: 'DELETE',
    path: '/v1/connections/p:1',
    status: 404,
    code: 'connection_not_found',
    detail: '"p:1"',
  },
  'a way to cut a connection that there is not': {
    method: 'DELETE',
    path: '/v1/connections/p:1?how=gently',
    ...invalid,
    field: 'how',
    expected: /"reset" or "close"|"close" or "reset"/,
  },

  // ---- paths, methods, queries
  'a path that there is not': { ...post('/v1/proxy', {}), status: 404, code: 'route_not_found' },
  'a method that a path has not': {
    method: 'PUT',
    path: '/v1/proxies/p',
    json: {},
    status: 405,
    code: 'method_not_allowed',
    field: 'method',
    expected: 'one of DELETE, GET, PATCH',
  },
  'a method that nobody knows': {
    method: 'PROPFIND',
    path: '/v1/proxies',
    status: 405,
    code: 'method_not_allowed',
    field: 'method',
    expected: /GET, POST/,
  },
  'broken percent-encoding': {
    method: 'DELETE',
    path: '/v1/proxies/%E0%A4%A',
    status: 400,
    code: 'invalid_path',
    field: 'path',
    expected: 'well-formed percent-encoding',
  },
  'a name in the path that is too long': {
    method: 'DELETE',
    path: `/v1/proxies/${'x'.repeat(13_000)}`,
    status: 414,
    code: 'path_too_long',
    field: 'path',
    expected: 'names of at most 4096 characters',
  },
  'a query parameter that there is not': {
    path: '/v1/injections?proxi=p',
    ...unknown,
    field: 'proxi',
    expected: /proxy/,
    detail: 'did you mean "proxy"?',
  },
  'a query parameter that is no number': {
    path: '/v1/injections?limit=many',
    ...invalid,
    field: 'limit',
    expected: /^an integer/,
  },
  'a query parameter out of range': {
    path: '/v1/injections?limit=0',
    ...invalid,
    field: 'limit',
    expected: /^an integer/,
  },
  'a query parameter twice': {
    path: '/v1/injections?proxy=a&proxy=b',
    ...invalid,
    field: 'proxy',
    expected: 'a string',
  },

  // ---- who asks
  'no token': {
    ...proxy({}),
    headers: { authorization: '', 'content-type': 'application/json' },
    status: 401,
    code: 'unauthorized',
    field: 'authorization',
    expected: '"Bearer" and a token of this server',
  },
  'a wrong token': {
    ...proxy({}),
    headers: { authorization: 'Bearer wrong', 'content-type': 'application/json' },
    status: 401,
    code: 'unauthorized',
    field: 'authorization',
    expected: '"Bearer" and a token of this server',
  },
  'the token in the query': {
    ...proxy({}),
    path: `/v1/proxies?token=${TOKEN}`,
    headers: { authorization: '', 'content-type': 'application/json' },
    status: 401,
    code: 'unauthorized',
    field: 'authorization',
    detail: 'in the URL is not read',
  },
  'the name of somebody else’s site as Host': {
    ...proxy({}),
    headers: { authorization, host: 'evil.example', 'content-type': 'application/json' },
    status: 403,
    code: 'host_not_allowed',
    field: 'host',
    expected: /localhost/,
    detail: 'evil.example',
  },
  "somebody else's page as Origin": {
    ...proxy({}),
    headers: { authorization, origin: 'https://evil.example', 'content-type': 'application/json' },
    status: 403,
    code: 'origin_not_allowed',
    field: 'origin',
    expected: /this server/,
    detail: 'evil.example',
  },
}

async function sendBad({ json, headers, method = 'GET', path = '/', body }: Bad): Promise<AdminAnswer> {
  const text = json === undefined ? body : JSON.stringify(json)
  const usual = { authorization, ...(text !== undefined && { 'content-type': 'application/json' }) }
  const given = headers === undefined ? usual : { authorization, ...headers }
  const request = { method, path, headers: given, ...(text !== undefined && { body: text }) }
  return send(server.url, request)
}

test('there are more than 50 kinds', () => {
  expect(Object.keys(kinds).length).toBeGreaterThan(50)
})

describe('is refused with a problem, and changes nothing:', () => {
  test.each(Object.entries(kinds))('%s', async (_kind, bad) => {
    const before = await state()
    const { status, headers, body } = await sendBad(bad)
    expect({ status, code: body?.code, field: body?.field }).toEqual({
      status: bad.status,
      code: bad.code,
      field: bad.field,
    })
    expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(body).toMatchObject({ status: bad.status, type: `urn:faultline:problem:${bad.code}` })
    expect(body.title).toMatch(/./)
    if (bad.expected !== undefined) expect(body.expected).toEqual(expect.stringMatching(asPattern(bad.expected)))
    // What was expected is in the message, too, so that whoever shows only that tells all.
    if (bad.status === 400) expect(body.detail).toContain(body.expected ?? '')
    expect(body.detail).toMatch(asPattern(bad.detail ?? ''))
    expect(await state()).toEqual(before)
  })

  test('what would act, while everything is stopped', async () => {
    server.network.stop()
    try {
      const before = await state()
      const own = { ...fault({}), status: 423, code: 'stopped' }
      expect((await sendBad(own)).body).toMatchObject({ status: 423, code: 'stopped' })
      const toxic = { ...post('/proxies/p/toxics', { type: 'latency' }), status: 423, code: '' }
      expect((await sendBad(toxic)).body).toEqual({ error: expect.stringContaining('stop'), status: 423 })
      expect(await state()).toEqual(before)
    } finally {
      server.network.resume()
    }
  })

  test('a port that is in use', async () => {
    const before = await state()
    const inUse = { ...proxy({ listen: `127.0.0.1:${takenPort}` }), status: 409, code: 'listen_failed' }
    expect((await sendBad(inUse)).body).toMatchObject({ status: 409, code: 'listen_failed', field: 'listen' })
    const moved = {
      ...patch('/v1/proxies/p', { listen: `127.0.0.1:${takenPort}` }),
      status: 409,
      code: 'listen_failed',
    }
    expect((await sendBad(moved)).body).toMatchObject({ status: 409, code: 'listen_failed', field: 'listen' })
    expect(await state()).toEqual(before)
  })

  test.each([
    ['headers beyond 16 KiB', `GET /v1/proxies HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(17_000)}\r\n\r\n`, 431],
    ['no HTTP', 'EHLO example.com\r\n\r\n', 400],
    ['HTTP/1.1 without a Host', 'GET /v1/proxies HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['a header with a control character', 'GET / HTTP/1.1\r\nhost: localhost\r\nx: \x00\r\n\r\n', 400],
    [
      'two lengths, as smuggled requests have',
      'POST /v1/proxies HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\n{}',
      400,
    ],
    [
      'a length and chunks, as smuggled requests have',
      'POST /v1/proxies HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    [
      'a chunk of no length',
      'POST /v1/proxies HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
      400,
    ],
  ])('%s', async (_kind, bytes, status) => {
    const before = await state()
    const answer = await sendRaw(server.url, bytes)
    expect(answer.status).toBe(status)
    // Node's own answers have no body.
    if (answer.text.startsWith('{')) expect(answer.body).toMatchObject({ status, expected: expect.any(String) })
    expect(await state()).toEqual(before)
  })
})

function asPattern(text: string | RegExp): RegExp {
  return typeof text === 'string' ? new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)) : text
}
