// /v1/experiments: created from a file, approved, started, stopped, with results; and what guards the server from them.
import { Value } from '@sinclair/typebox/value'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { answerSchemas } from '../../admin/openapi/components.ts'
import { send, type AdminAnswer } from '../support/admin-requests.ts'
import { startHttpService, type HttpService } from '../support/http-service.ts'
import { SocketReader } from '../support/feed.ts'

const POLL = { timeout: 10_000, interval: 20 }

let service: HttpService
let server: AdminServer
let url: string
beforeAll(async () => {
  service = await startHttpService((_request, response) => response.end('hello'))
  const upstream = `127.0.0.1:${service.port}`
  const tokens = { alice: 'token-of-alice', bob: 'token-of-bob' }
  server = await startAdminServer({ port: 0, tokens, proxies: [{ name: 'shop', upstream, protocol: 'http' }] })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
})
// What one test forgets to take back is its own failure, not that of the next.
afterEach(async () => {
  for (const { id } of (await call('GET', '/v1/experiments')).body.experiments) {
    await call('DELETE', `/v1/experiments/${id}`)
  }
  if ([...server.network.leases].length > 0 || faults().length > 0) throw new Error('something is left')
})
afterAll(async () => {
  await server.close()
  await service[Symbol.asyncDispose]()
})

function call(method: string, path: string, body?: unknown, who: 'alice' | 'bob' = 'alice'): Promise<AdminAnswer> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer token-of-${who}` }
  return send(server.url, { method, path, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
}

/** The body, having checked that it is what the OpenAPI document says. */
function checked(name: keyof typeof answerSchemas, { body, text }: AdminAnswer): any {
  const errors = [...Value.Errors(answerSchemas[name], body)].map(({ path, message }) => `${path}: ${message}`)
  expect(errors, text).toEqual([])
  return body
}

/** An experiment that takes half a second, or with a longer step as long as that. */
function file({ fault = 'type: noop', forMs = 100, more = '' } = {}): object {
  const text = `title: The shop answers
seed: 1
steadyState:
  - { name: shop, http: "\${URL}", rate: 50/s }
phases:
  preparation: { atMost: 2s }
  baseline: { for: 100ms }
  failure: [{ fault: { proxy: shop, ${fault} }, for: ${forMs}ms }]
  recovery: { atMost: 1s, consecutive: 2 }
  validation: { steps: [service_health_check] }
safety: { blastRadius: 100% }
${more}`
  return { file: text, parameters: { URL: url } }
}

async function created(body: object = file()): Promise<string> {
  const answer = await call('POST', '/v1/experiments', body)
  expect(answer.status, answer.text).toBe(201)
  return checked('Experiment', answer).id
}

async function view(id: string): Promise<any> {
  return checked('Experiment', await call('GET', `/v1/experiments/${id}`))
}

async function stateOf(id: string): Promise<string> {
  return (await view(id)).state
}

function faults(): readonly string[] {
  return [...(server.network.proxy('shop')?.faults ?? [])].map(({ type }) => type)
}

async function refusal(answer: Promise<AdminAnswer>): Promise<unknown[]> {
  const { status, body } = await answer
  return [status, body.code, body.field]
}

const long = { fault: 'type: latency, attributes: { latency: 1 }', forMs: 60_000 }

describe('an experiment', () => {
  test('is created, planned, started, and leaves results, reports and what is known of the recovery', async () => {
    const id = await created()
    expect(await view(id)).toMatchObject({ state: 'created', createdBy: 'alice', outcome: null, hasResults: false })
    const changes = server.network.changes.total
    const plan = checked('ExperimentPlan', await call('GET', `/v1/experiments/${id}/plan`))
    expect(plan).toMatchObject({
      proxies: 1,
      steps: [{ name: 'fault noop on shop', touches: ['shop'], blastRadius: 1 }],
    })
    expect(server.network.changes.total).toBe(changes)
    expect(await refusal(call('GET', `/v1/experiments/${id}/results`))).toEqual([409, 'no_results', undefined])

    expect((await call('POST', `/v1/experiments/${id}/start`)).status).toBe(202)
    await expect.poll(() => stateOf(id), POLL).toBe('ended')
    const { outcome, attempts, hasResults } = await view(id)
    // So few probes decide nothing, but that they were all good.
    expect([outcome, hasResults]).toEqual(['inconclusive', true])
    expect(attempts).toBeGreaterThan(5)
    const journal = checked('ExperimentResults', await call('GET', `/v1/experiments/${id}/results`))
    expect(journal).toMatchObject({
      title: 'The shop answers',
      steps: [{ name: 'fault noop on shop' }, { kind: 'check' }],
    })
    const recovery = checked('Recovery', await call('GET', `/v1/recovery/${id}`))
    expect(recovery).toMatchObject({ id, recovered: true, outages: [], checks: [{ name: expect.any(String) }] })

    const html = await call('GET', `/v1/experiments/${id}/results?format=html`)
    expect(html.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringMatching(/^sandbox allow-scripts; default-src 'none'/),
    })
    const junit = await call('GET', `/v1/experiments/${id}/results?format=junit`)
    expect([junit.headers['content-type'], junit.text]).toEqual(['application/xml', expect.stringMatching(/^<\?xml/)])
    const metrics = (more = '') => call('GET', `/v1/experiments/${id}/results?format=prometheus${more}`)
    for (const [more, unit] of [
      ['', 'seconds'],
      ['&metricNames=classic', 'ms'],
    ] as const) {
      expect((await metrics(more)).text).toContain(`# TYPE chaos_latency_degradation_${unit} gauge`)
    }
    for (const [query, field] of [
      ['format=pdf', 'format'],
      ['format=prometheus&metricNames=short', 'metricNames'],
      ['format=html&metricNames=classic', 'metricNames'],
    ]) {
      expect(await refusal(call('GET', `/v1/experiments/${id}/results?${query}`))).toEqual([
        400,
        'invalid_value',
        field,
      ])
    }
    expect(await refusal(call('POST', `/v1/experiments/${id}/start`))).toEqual([409, 'experiment_started', undefined])
  })

  test('is stopped: when that is answered, everything is reverted', async () => {
    const id = await created(file(long))
    await call('POST', `/v1/experiments/${id}/start`)
    await expect.poll(faults, POLL).toEqual(['latency'])
    expect(await view(id)).toMatchObject({ state: 'running', phase: 'failure' })
    const stopped = checked('Experiment', await call('POST', `/v1/experiments/${id}/stop`))
    expect(stopped).toMatchObject({ state: 'ended', outcome: 'aborted', reason: 'stopped over the API' })
    expect(faults()).toEqual([])
  })

  test('is stopped by the emergency stop, and none starts until that is taken back', async () => {
    const running = await created(file(long))
    const waiting = await created()
    await call('POST', `/v1/experiments/${running}/start`)
    await expect.poll(faults, POLL).toEqual(['latency'])
    await call('POST', '/v1/stop')
    await expect.poll(() => stateOf(running), POLL).toBe('ended')
    expect((await view(running)).reason).toBe('stopped by the emergency stop')
    expect(await refusal(call('POST', `/v1/experiments/${waiting}/start`))).toEqual([423, 'stopped', undefined])
    await call('POST', '/v1/resume')
    expect((await call('POST', `/v1/experiments/${waiting}/start`)).status).toBe(202)
    await expect.poll(() => stateOf(waiting), POLL).toBe('ended')
  })

  test('waits while three are running', async () => {
    const ids = await Promise.all([1, 2, 3, 4].map(() => created(file(long))))
    for (const id of ids) await call('POST', `/v1/experiments/${id}/start`)
    const states = () => Promise.all(ids.map(stateOf))
    await expect.poll(states, POLL).toEqual(['running', 'running', 'running', 'queued'])
    await call('DELETE', `/v1/experiments/${ids[0]}`)
    ids.shift()
    await expect.poll(states, POLL).toEqual(['running', 'running', 'running'])
  })

  test('is rehearsed in less than its time, and says so', async () => {
    const id = await created({ ...file(long), scaleTime: 0.01 })
    expect((await view(id)).title).toBe('The shop answers, time × 0.01')
    const plan = checked('ExperimentPlan', await call('GET', `/v1/experiments/${id}/plan`))
    expect(plan.steps).toMatchObject([{ untilMs: 600 }])
    for (const scaleTime of [0, 2, '0.5']) {
      const given = call('POST', '/v1/experiments', { ...file(), scaleTime })
      expect(await refusal(given)).toEqual([400, 'invalid_value', 'scaleTime'])
    }
  })

  test('of the library is taken by its name, with parameters', async () => {
    const short = { BASELINE: '100ms', RECOVERY: '500ms', DURATION: '100ms', RATE: '50/s', BLAST_RADIUS: '100%' }
    const parameters = { TARGET: url, PROXY: 'shop', LATENCY: '5', ...short }
    const id = await created({ scenario: 'light-network-latency', parameters })
    expect(await view(id)).toMatchObject({ title: 'Light Network Latency' })
    const missing = call('POST', '/v1/experiments', { scenario: 'light-network-latency', parameters: { PROXY: 'a' } })
    expect(await refusal(missing)).toEqual([400, 'missing_field', 'parameters.TARGET'])
  })
})

describe('what is wrong', () => {
  test.each([
    [undefined, 'body', ''],
    [{}, 'file', 'file: missing, expected the text of an experiment file, or a scenario'],
    [{ file: 'x', scenario: 'y' }, 'scenario', 'expected none beside a file'],
    [{ scenario: 'light-cpu-stres' }, 'scenario', 'did you mean "light-cpu-stress"?'],
    [{ file: 'title: x', colour: 1 }, 'colour', 'unknown field'],
    [{ file: 'title: x\nsteadyState: 5\n' }, 'phases', 'experiment:2:14: steadyState: expected an array'],
  ])('%j is refused with its field', async (body, field, detail) => {
    const answer = await call('POST', '/v1/experiments', body)
    expect([answer.status, answer.body.field]).toEqual([400, field])
    expect(answer.body.detail).toContain(detail)
  })

  test('in the file, and known by the network alone, is refused with line and column when it starts', async () => {
    const { file: text } = file() as { file: string }
    const id = await created({ ...file(), file: text.replace('proxy: shop', 'proxy: shpo') })
    const answer = await call('POST', `/v1/experiments/${id}/start`)
    expect(answer.status).toBe(422)
    expect(answer.body.detail).toMatch(/^experiment:8:\d+: phases\.failure\.0\.fault\.proxy: .*did you mean "shop"/)
    expect(await stateOf(id)).toBe('created')
    const before = (await call('GET', '/v1/experiments')).body.experiments.length
    const body = { ...file(), file: text.replace('proxy: shop', 'proxy: shpo') }
    expect((await call('POST', '/v1/experiments?start=true', body)).status).toBe(422)
    expect((await call('GET', '/v1/experiments')).body.experiments).toHaveLength(before)
  })
})

describe('guards', () => {
  test("the server's own environment stays out of a file", async () => {
    process.env['FAULTLINE_TEST_SECRET'] = 'secret'
    const body = {
      ...file(),
      file: (file() as { file: string }).file.replace('${URL}', `${url}/\${FAULTLINE_TEST_SECRET}`),
    }
    const answer = await call('POST', '/v1/experiments', body)
    delete process.env['FAULTLINE_TEST_SECRET']
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringContaining('FAULTLINE_TEST_SECRET')])
    expect(answer.text).not.toContain('secret/')
  })

  const load = '{ load: { process: [echo, hello], rate: 1/s }, for: 100ms }'
  test.each([
    ['steadyState.0.process', 'http: "${URL}"', 'process: [echo, hello]'],
    ['phases.stress.load.process', 'phases:', `phases:\n  stress: ${load}`],
    ['phases.failure.0.load.process', 'failure: [', `failure: [${load}, `],
  ])('%s may start no program, unless the server is told that it may', async (field, before, after) => {
    const body = file() as { file: string }
    const text = body.file.replace(before, after)
    const answer = await call('POST', '/v1/experiments', { ...body, file: text })
    expect([answer.status, answer.body.field]).toEqual([400, field])
    expect(answer.body.detail).toContain('--experiment-programs')

    const open = await startAdminServer({ port: 0, experimentPrograms: true })
    const headers = { 'content-type': 'application/json' }
    const taken = await fetch(`${open.url}/v1/experiments`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ ...body, file: text }),
    })
    expect(taken.status).toBe(201)
    await open.close()
  })

  test('webhooks are told nothing, unless the server is told that they may be', async () => {
    const body = file({ more: 'notify: [{ url: "http://127.0.0.1:1" }]' })
    const answer = await call('POST', '/v1/experiments', body)
    expect([answer.status, answer.body.field]).toEqual([400, 'notify.0'])
    expect(answer.body.detail).toContain('--experiment-webhooks')

    const open = await startAdminServer({ port: 0, experimentWebhooks: true })
    const headers = { 'content-type': 'application/json' }
    const taken = await send(open.url, {
      method: 'POST',
      path: '/v1/experiments',
      headers,
      body: JSON.stringify(body),
    })
    expect(taken.status).toBe(201)
    await open.close()
  })

  test('production wants the approval of a second token', async () => {
    const id = await created(file({ more: 'environment: production' }))
    const start = () => call('POST', `/v1/experiments/${id}/start`)
    const approve = (who: 'alice' | 'bob') => call('POST', `/v1/experiments/${id}/approve`, undefined, who)
    const changes = server.network.changes.total
    expect(await refusal(start())).toEqual([403, 'approval_needed', 'environment'])
    expect(await refusal(approve('alice'))).toEqual([403, 'second_token_needed', 'authorization'])
    expect(await refusal(start())).toEqual([403, 'approval_needed', 'environment'])
    expect(server.network.changes.total).toBe(changes)
    expect(checked('Experiment', await approve('bob'))).toMatchObject({ createdBy: 'alice', approvedBy: 'bob' })
    expect((await start()).status).toBe(202)
    await expect.poll(() => stateOf(id), POLL).toBe('ended')
    expect(await view(id)).toMatchObject({ environment: 'production', hasResults: true })
    const other = await created()
    expect(await refusal(call('POST', `/v1/experiments/${other}/approve`))).toEqual([
      409,
      'approval_not_needed',
      undefined,
    ])
  })

  test('without tokens nobody can approve', async () => {
    const open = await startAdminServer({ port: 0 })
    const post = (path: string, body?: unknown) =>
      send(open.url, {
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    const { id } = (await post('/v1/experiments', file({ more: 'environment: production' }))).body
    expect((await post(`/v1/experiments/${id}/approve`)).body).toMatchObject({
      code: 'second_token_needed',
      detail: expect.stringContaining('this server has no tokens'),
    })
    await open.close()
  })

  test('a server that closes stops them first', async () => {
    const other = await startAdminServer({ port: 0 })
    const proxy = await other.network.createProxy({ name: 'shop', upstream: `127.0.0.1:${service.port}` })
    const before = service.connections
    const body = { ...file(long), parameters: { URL: service.url } }
    const headers = { 'content-type': 'application/json' }
    await fetch(`${other.url}/v1/experiments?start=true`, { method: 'POST', headers, body: JSON.stringify(body) })
    await expect.poll(() => [...proxy.faults].length, POLL).toBe(1)
    await other.close()
    expect([[...proxy.faults], [...other.network.leases]]).toEqual([[], []])
    // Nor does it ask any more. Without being stopped it would find out when it renews its lease, more than a second later.
    await expect.poll(() => service.connections, { timeout: 500, interval: 5 }).toBeLessThanOrEqual(before)
  })

  test('there are a hundred at most, and those that have ended make room', async () => {
    const first = await created()
    await call('POST', `/v1/experiments/${first}/stop`)
    for (let count = 1; count < 100; count++) await created()
    await created()
    expect((await call('GET', `/v1/experiments/${first}`)).body.code).toBe('experiment_not_found')
    expect(await refusal(call('POST', '/v1/experiments', file()))).toEqual([429, 'limit_reached', undefined])
  })
})

test('the library is listed, and each scenario told of', async () => {
  const { scenarios, suites } = checked('ScenarioList', await call('GET', '/v1/scenarios'))
  expect(scenarios.map(({ name }: { name: string }) => name)).toContain('light-cpu-stress')
  expect(suites[0]).toMatchObject({ name: 'smoke', scenarios: expect.arrayContaining(['light-packet-loss']) })
  const one = checked('Scenario', await call('GET', '/v1/scenarios/light-cpu-stress'))
  expect(one).toMatchObject({ category: 'resource', parameters: { WORKERS: { type: 'integer' } } })
  expect(await refusal(call('GET', '/v1/scenarios/none'))).toEqual([404, 'scenario_not_found', undefined])
})

describe('aliases', () => {
  test('are the same as our own paths, with the same guards', async () => {
    const pairs = [
      ['/experiments', '/v1/experiments'],
      ['/faults', '/v1/faults'],
      ['/scenarios', '/v1/scenarios'],
      ['/api/chaos/scenarios', '/v1/scenarios'],
      ['/health', '/healthz'],
    ] as const
    for (const [alias, path] of pairs) {
      const [one, other] = [await call('GET', alias), await call('GET', path)]
      expect([one.status, one.text], alias).toEqual([200, other.text])
    }
    expect((await call('GET', '/status')).body).toMatchObject({ stopped: false })
    expect((await call('GET', '/api/monitoring/metrics')).text).toContain('faultline_')
    for (const path of ['/experiments', '/api/chaos/scenarios', '/ws', '/api/monitoring/metrics']) {
      expect((await send(server.url, { path })).status, path).toBe(401)
    }
    expect((await call('GET', '/emergency-stop')).status).toBe(405)
    expect((await call('GET', '/api/chaos')).status).toBe(404)
  })

  test('start a scenario, stop it, tell of its recovery, and stop everything', async () => {
    const { status, body } = await call('POST', '/api/chaos/scenarios', file(long))
    expect([status, body.state]).toEqual([201, 'queued'])
    await expect.poll(faults, POLL).toEqual(['latency'])
    expect((await call('POST', `/api/chaos/scenarios/${body.id}/stop`)).body).toMatchObject({ outcome: 'aborted' })
    expect((await call('GET', `/api/recovery/validate/${body.id}`)).body).toMatchObject({ id: body.id })
    expect((await call('POST', '/api/chaos/emergency-stop')).body).toMatchObject({ stopped: true })
    await call('POST', '/v1/resume')
    expect((await call('POST', '/emergency-stop')).body).toMatchObject({ stopped: true })
    await call('POST', '/v1/resume')
  })

  test('have the feed as a WebSocket', async () => {
    const open = await startAdminServer({ port: 0 })
    const socket = await SocketReader.open(Number(new URL(open.url).port), '/ws?types=proxy_created')
    await open.network.createProxy({ name: 'new', upstream: '127.0.0.1:1' })
    expect(await socket.until(1)).toMatchObject([{ type: 'proxy_created', proxy: 'new' }])
    socket.close()
    await open.close()
  })
})
