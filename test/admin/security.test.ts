// Who may use the API, from where, and how much.
import { hostname } from 'node:os'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { pino } from 'pino'
import { WebSocket } from 'ws'
import { AdminClient } from '../../admin/client.ts'
import { startAdminServer, type AdminServer, type AdminServerOptions } from '../../admin/index.ts'
import { isAllowedHost, isAllowedOrigin, type HostRule } from '../../admin/security/guards.ts'
import { send, type AdminRequest } from '../support/admin-requests.ts'

/** How long to wait for what comes at once, on a machine that has much else to do. */
const patient = { timeout: 10_000 }

const servers: AdminServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(options: AdminServerOptions = {}): Promise<AdminServer> {
  const server = await startAdminServer({ port: 0, ...options })
  servers.push(server)
  return server
}

function logTo(lines: string[]): NonNullable<AdminServerOptions['logger']> {
  return pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
}

const as = (authorization: string): Record<string, string> => ({ authorization })

describe('a token', () => {
  const token = 'correct-horse-battery~staple=='
  const paths = ['/v1/proxies', '/v1/nope', '/proxies', '/version', '/nope', '/metrics', '/v1/openapi.json']

  test.each(paths)('is wanted for %s', async (path) => {
    const { url } = await start({ token })
    const without = await send(url, { path })
    expect(without.status).toBe(401)
    expect(without.headers['www-authenticate']).toBe('Bearer realm="faultline"')
    const wrong = await send(url, { path, headers: as('Bearer something-else') })
    expect(wrong.status).toBe(401)
    expect(wrong.headers['www-authenticate']).toBe('Bearer realm="faultline", error="invalid_token"')
    const right = await send(url, { path, headers: as(`Bearer ${token}`) })
    expect(right.status).not.toBe(401)
  })

  test('is not wanted for /healthz', async () => {
    const { url } = await start({ token })
    expect(await send(url, { path: '/healthz' })).toMatchObject({ status: 200, body: { status: 'ok' } })
    expect(await send(url, { path: '/healthz', method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  })

  test('is missed in the words of the API that is called', async () => {
    const { url } = await start({ token })
    const own = await send(url, { path: '/v1/proxies' })
    expect(own.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(own.body).toMatchObject({ status: 401, code: 'unauthorized', field: 'authorization' })
    expect(own.body.expected).toBe('"Bearer" and a token of this server')
    const toxiproxy = await send(url, { path: '/proxies', method: 'POST', body: '{}' })
    expect(toxiproxy.body).toEqual({ error: expect.stringContaining('"Bearer"'), status: 401 })
    expect(await send(url, { path: '/metrics' })).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
  })

  test.each([
    ['another scheme', 'Basic Y29ycmVjdA=='],
    ['no scheme', token],
    ['more than it', `Bearer ${token} `.concat('x')],
    ['its beginning', `Bearer ${token.slice(0, -1)}`],
    ['nothing after the scheme', 'Bearer '],
  ])('is not %s', async (_name, authorization) => {
    const { url } = await start({ token })
    expect((await send(url, { path: '/v1/proxies', headers: { authorization } })).status).toBe(401)
  })

  test('is not read from the query, which the log shows without it', async () => {
    const lines: string[] = []
    const { url } = await start({ token, logger: logTo(lines) })
    const answer = await send(url, { path: `/v1/proxies?proxy=p&token=${token}&limit=1` })
    expect(answer.status).toBe(401)
    await vi.waitFor(() => expect(lines.join('')).toContain('/v1/proxies?proxy=p&token=***&limit=1'), patient)
    expect(lines.join('') + answer.text).not.toContain(token)
  })

  test('is in no log, view or error, right or wrong', async () => {
    const lines: string[] = []
    const { url } = await start({ token, logger: logTo(lines) })
    const shown: string[] = []
    for (const given of [token, 'guess-of-a-token']) {
      for (const path of ['/v1/proxies', '/v1/nope', '/proxies', '/metrics']) {
        const { text, headers } = await send(url, { path, headers: as(`bearer ${given}`) })
        shown.push(text, JSON.stringify(headers))
      }
    }
    await vi.waitFor(() => expect(lines.filter((line) => line.includes('"request"'))).toHaveLength(8), patient)
    expect([...shown, ...lines].join('')).not.toMatch(/horse|guess-of/)
  })

  test('can have a name, and there can be many', async () => {
    const { url } = await start({ tokens: { ci: 'token-of-ci', alice: 'token-of-alice' } })
    for (const [given, status] of [
      ['token-of-ci', 200],
      ['token-of-alice', 200],
      ['ci', 401],
    ] as const) {
      expect((await send(url, { path: '/v1/proxies', headers: as(`Bearer ${given}`) })).status).toBe(status)
    }
  })

  test('is sent by the client', async () => {
    const { url } = await start({ token })
    const client = new AdminClient(url, { token })
    expect(await client.proxies()).toEqual({})
    await client.close()
    const stranger = new AdminClient(url)
    await expect(stranger.proxies()).rejects.toMatchObject({ code: 'refused', status: 401 })
    await stranger.close()
  })

  test('that is empty is none', async () => {
    const { url } = await start({ token: '' })
    expect((await send(url, { path: '/v1/proxies' })).status).toBe(200)
  })

  test.each<[string, AdminServerOptions]>([
    ['token', { token: 'two words' }],
    ['token', { token: 'ümläut' }],
    ['tokens.ci', { tokens: { ci: '' } }],
    ['tokens.ci', { tokens: { ci: 'line\nbreak' } }],
    ['tokens.b', { tokens: { a: 'the-same', b: 'the-same' } }],
    ['tokens.b', { token: 'the-same', tokens: { b: 'the-same' } }],
    ['allowedHosts.0', { allowedHosts: ['example.com:80'] }],
    ['maxRequestsPerSecond', { maxRequestsPerSecond: 0 }],
    ['auditLog', { auditLog: '/nowhere/at/all.log' }],
    ['auditLog', { auditLog: '/tmp' }],
  ])('or another option that is wrong is refused at the start: %s of %j', async (field, options) => {
    const failed = await startAdminServer({ port: 0, ...options }).catch((error: unknown) => error)
    expect(failed).toMatchObject({ code: 'invalid_value', field })
    expect((failed as Error).message).toContain('expected')
    expect((failed as Error).message).not.toMatch(/two words|ümläut|the-same|line/)
  })
})

describe('listening for other machines', () => {
  test.each<[AdminServerOptions, number]>([
    [{ host: '0.0.0.0' }, 1],
    [{ host: '::' }, 1],
    [{ host: '0.0.0.0', token: 't' }, 0],
    [{ host: '0.0.0.0', tokens: { a: 't' } }, 0],
    [{ host: '127.0.0.1' }, 0],
    [{ host: '127.1.2.3' }, 0],
    [{ host: 'localhost' }, 0],
    [{ host: '::1' }, 0],
    [{}, 0],
  ])('with %j is warned of %i times', async (options, times) => {
    const lines: string[] = []
    await start({ ...options, logger: logTo(lines) })
    const warnings = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 40)
    expect(warnings.map(({ msg }) => msg)).toEqual(
      Array.from({ length: times }, () => expect.stringMatching(/no auth/)),
    )
  })
})

describe('the Host header', () => {
  const allowedHosts = ['faults.example.com', '.corp.example']
  const onLoopback: HostRule = { loopback: true, token: false, allowedHosts }
  const open: HostRule = { loopback: false, token: false, allowedHosts }
  const withToken: HostRule = { loopback: false, token: true, allowedHosts }

  test.each([
    // header, on loopback, open to others, open to others with a token
    [undefined, true, true, true],
    ['127.0.0.1', true, true, true],
    ['127.0.0.1:8474', true, true, true],
    ['10.1.2.3:8474', true, true, true],
    ['[::1]:8474', true, true, true],
    ['[fe80::1]', true, true, true],
    ['localhost', true, true, true],
    ['LOCALHOST:8474', true, true, true],
    ['localhost.:8474', true, true, true],
    ['api.localhost:8474', true, true, true],
    ['host.docker.internal:8474', true, true, true],
    ['host.containers.internal:8474', true, true, true],
    ['faults.example.com', true, true, true],
    ['Faults.Example.com.:80', true, true, true],
    ['corp.example', true, true, true],
    ['a.b.corp.example', true, true, true],
    ['toxiproxy:8474', false, true, true],
    ['my_service:8474', false, true, true],
    ['faultline.default.svc:8474', false, true, true],
    ['faultline.default.svc.cluster.local', false, true, true],
    ['vm.c.project.internal', false, true, true],
    ['evil.example', false, false, true],
    ['evil.example:8474', false, false, true],
    ['xfaults.example.com', false, false, true],
    ['notcorp.example', false, false, true],
    ['localhost.evil.example', false, false, true],
    ['127.0.0.1.evil.example', false, false, true],
    ['', false, false, false],
    ['[evil.example]', false, false, false],
    ['[::1]evil.example', false, false, false],
    ['user@localhost', false, false, false],
    ['localhost/evil', false, false, false],
    ['evil.example:8474:127.0.0.1', false, false, false],
  ])('%s is right on loopback: %s, for other machines: %s, with a token: %s', (header, ...allowed) => {
    expect([onLoopback, open, withToken].map((rule) => isAllowedHost(header, rule))).toEqual(allowed)
  })

  test("may be the machine's own name, where that can be reached", () => {
    expect(isAllowedHost(`${hostname()}:8474`, open)).toBe(true)
  })

  test('of a page whose name was made to point here is refused on every path, and nothing happens', async () => {
    const { url, network } = await start()
    const headers = { host: 'evil.example:8474' }
    for (const path of ['/v1/proxies', '/proxies', '/reset', '/populate', '/metrics', '/nope', '/v1/nope']) {
      const answer = await send(url, { method: 'POST', path, headers, body: '[{"name":"p","upstream":"x:1"}]' })
      expect([path, answer.status]).toEqual([path, 403])
      expect(answer.text).toContain('evil.example')
    }
    expect((await send(url, { path: '/v1/proxies', headers })).body).toMatchObject({
      code: 'host_not_allowed',
      field: 'host',
      expected: 'an IP address, localhost, or a name of allowedHosts',
    })
    expect([...network.proxies]).toEqual([])
  })

  test('of a probe can be any, for /healthz', async () => {
    const { url } = await start()
    expect((await send(url, { path: '/healthz', headers: { host: 'probe.example' } })).status).toBe(200)
  })

  test('cannot be got around by a URL with a host in the request line', async () => {
    const { url } = await start()
    const path = 'http://evil.example/v1/proxies'
    expect((await send(url, { path, headers: { host: 'evil.example' } })).status).toBe(403)
    const health = 'http://evil.example/healthz/../v1/proxies'
    expect((await send(url, { path: health, headers: { host: 'evil.example' } })).status).toBe(403)
  })
})

describe('the Origin header', () => {
  const rule: HostRule = { loopback: true, token: false, allowedHosts: ['tools.example.com'] }

  test.each([
    [undefined, '127.0.0.1:8474', true],
    ['http://127.0.0.1:8474', '127.0.0.1:8474', true],
    ['http://localhost:8474', 'localhost:8474', true],
    ['http://localhost', 'localhost', true],
    ['http://localhost', 'localhost:80', true],
    ['https://localhost', 'localhost:443', true],
    ['https://tools.example.com', 'localhost:8474', true],
    ['http://tools.example.com:3000', 'localhost:8474', true],
    ['http://localhost:3000', 'localhost:8474', false],
    ['http://127.0.0.1:8474', 'localhost:8474', false],
    ['https://evil.example', 'localhost:8474', false],
    ['http://tools.example.com.evil.example', 'localhost:8474', false],
    ['null', 'localhost:8474', false],
    ['', 'localhost:8474', false],
    ['file://localhost:8474', 'localhost:8474', false],
    ['http://localhost:8474', undefined, false],
  ])('%s on %s: %s', (origin, host, allowed) => {
    expect(isAllowedOrigin(origin, host, rule)).toBe(allowed)
  })

  test('of another site is refused, with a token or without', async () => {
    for (const options of [{}, { token: 't' }, { host: '0.0.0.0' }]) {
      const { url } = await start(options)
      const headers = { origin: 'https://evil.example', authorization: 'Bearer t' }
      for (const path of ['/v1/proxies', '/reset']) {
        expect((await send(url, { method: 'POST', path, headers })).status).toBe(403)
      }
      expect((await send(url, { path: '/v1/proxies', headers })).body).toMatchObject({
        code: 'origin_not_allowed',
        field: 'origin',
      })
    }
  })
})

/** Whether of some requests at once one is too many. */
async function someRefused(url: string, request: AdminRequest): Promise<boolean> {
  const answers = await Promise.all([1, 2, 3, 4].map(() => send(url, request)))
  return answers.some(({ status }) => status === 429)
}

describe('the rate limit', () => {
  test('answers 429 and when to go on, in the words of the API that is called', async () => {
    const { url } = await start({ maxRequestsPerSecond: 1 })
    const beganMs = performance.now()
    // At once: one after the other, each might get a second of its own on a machine that has much to do.
    const paths = Array.from({ length: 10 }, (_, i) => (i % 2 ? '/v1/proxies' : '/proxies'))
    const answers = await Promise.all(paths.map((path) => send(url, { path })))
    // One per second, and one in the second that had just begun.
    const allowed = 1 + Math.floor((performance.now() - beganMs) / 1000)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(answers.length - allowed)
    for (const { headers } of refused) expect(headers['retry-after']).toBe('1')
    const own = refused.find(({ headers }) => headers['content-type']?.startsWith('application/problem+json'))
    expect(own?.body).toMatchObject({ status: 429, code: 'rate_limited', expected: 'at most 1 requests a second' })
    expect(refused.some(({ body }) => body.error !== undefined && body.status === 429)).toBe(true)
  })

  test('never holds back health checks and the emergency stop', async () => {
    const { url } = await start({ maxRequestsPerSecond: 1 })
    for (let i = 0; i < 5; i++) {
      expect((await send(url, { path: '/healthz' })).status).toBe(200)
      expect((await send(url, { path: '/v1/stop', method: 'POST' })).status).not.toBe(429)
    }
  })

  test('ends with its second', async () => {
    const { url } = await start({ maxRequestsPerSecond: 1 })
    const request = { path: '/v1/proxies' }
    await vi.waitUntil(() => someRefused(url, request), patient)
    await vi.waitUntil(async () => (await send(url, request)).status === 200, patient)
  })

  test('counts guesses of a token', async () => {
    const { url } = await start({ maxRequestsPerSecond: 1, token: 't' })
    const guess = { path: '/v1/proxies', headers: { authorization: 'Bearer guess' } }
    await vi.waitUntil(() => someRefused(url, guess), patient)
  })

  test('is not met by a suite of 100 tests that all begin at once', async () => {
    const { url } = await start()
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const own: number[] = []
        for (let i = 0; i < 3; i++) own.push((await fetch(`${url}/v1/proxies`)).status)
        return own
      }),
    )
    expect(new Set(statuses.flat())).toEqual(new Set([200]))
  })
})

/** The status that a WebSocket is refused with; undefined if it opens. */
async function refusal(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/v1/events`, { headers })
  return new Promise((resolve) => {
    socket.on('open', () => resolve(undefined))
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode))
    socket.on('error', () => undefined)
  }).finally(() => socket.terminate()) as Promise<number | undefined>
}

describe('a stream of events', () => {
  test('over a WebSocket wants the token, and no page of another site', async () => {
    const { url } = await start({ token: 't' })
    expect(await refusal(url, as('Bearer t'))).toBeUndefined()
    expect(await refusal(url, { ...as('Bearer t'), origin: url })).toBeUndefined()
    expect(await refusal(url, {})).toBe(401)
    expect(await refusal(url, { ...as('Bearer t'), origin: 'https://evil.example' })).toBe(403)
    expect(await refusal(url, { ...as('Bearer t'), host: 'evil.example' })).toBe(403)
  })

  test('as server-sent events does, too', async () => {
    const { url } = await start({ token: 't' })
    const path = '/v1/events'
    const accept = 'text/event-stream'
    expect((await send(url, { path, headers: { accept } })).status).toBe(401)
    expect((await send(url, { path, headers: { accept, ...as('Bearer t'), host: 'evil.example' } })).status).toBe(403)
  })
})
