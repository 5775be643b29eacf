// /v1/stressors against real processes: started, read, refused, ended by whatever may end them; in the feed and the metrics.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { answerSchemas } from '../../admin/openapi/components.ts'
import { Stressors, stressorTypes } from '../../resource-stressors/index.ts'
import { send, type AdminAnswer } from '../support/admin-requests.ts'
import { EventReader, SocketReader } from '../support/feed.ts'
import { childrenOf, isThere, MIB } from '../support/stressors.ts'

/** Next to nothing, so that the machine of the tests has its cores for them. */
const idle = { type: 'cpu', attributes: { load: 1, workers: 1 } }
const little = { type: 'memory', attributes: { bytes: 4 * MIB } }
const POLL = { timeout: 10_000, interval: 10 }

/** One for all that can share it: each process that is started costs a fifth of a second of CPU. */
let server: AdminServer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-audit-'))
  server = await startAdminServer({ port: 0, maxTtlMs: 30_000, defaultTtlMs: 20_000, auditLog: join(folder, 'log') })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

function call(method: string, path: string, body?: unknown): Promise<AdminAnswer> {
  const headers = { 'content-type': 'application/json' }
  return send(server.url, { method, path, ...(body !== undefined && { headers, body: JSON.stringify(body) }) })
}

/** The body, having checked that it is what the OpenAPI document says: no field is missing, wrong or too many. */
function checked(name: keyof typeof answerSchemas, { body }: AdminAnswer): any {
  const schema = answerSchemas[name]
  expect([...Value.Errors(schema, body)].map(({ path, message }) => `${path}: ${message}`)).toEqual([])
  expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining(Object.keys(body)))
  return body
}

async function started(body: object): Promise<any> {
  const answer = await call('POST', '/v1/stressors', body)
  expect(answer.status, answer.text).toBe(201)
  return checked('Stressor', answer)
}

async function status(): Promise<any> {
  return checked('Status', await call('GET', '/v1/status'))
}

async function reasonOf(id: string): Promise<unknown> {
  return (await call('GET', `/v1/stressors/${id}`)).body.reason
}

/** What the audit log has of requests that were granted. */
async function audit(): Promise<any[]> {
  const lines = (await readFile(join(folder, 'log'), 'utf8')).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as { status: number }).filter((entry) => entry.status < 300)
}

test('before the first one no process is there; a dry run says what would be and starts none', async () => {
  const before = childrenOf(process.pid)
  const answer = await call('POST', '/v1/stressors', { ...idle, dryRun: true, rampUpMs: 1000 })
  expect(answer.status).toBe(200)
  const plan = { state: 'planned', requested: { cpuCores: 0.01 }, rampUpMs: 1000, ttlMs: 20_000, pid: null }
  expect(checked('Stressor', answer)).toMatchObject(plan)
  expect(checked('StressorList', await call('GET', '/v1/stressors')).stressors).toEqual([])
  expect(childrenOf(process.pid)).toEqual(before)
})

test('what is wrong is refused with field and expectation, and starts nothing', async () => {
  const before = childrenOf(process.pid)
  const { events } = await status()
  const cases: readonly (readonly [unknown, number, string, string?])[] = [
    [undefined, 400, 'invalid_value', 'body'],
    [[], 400, 'invalid_value', 'body'],
    [{}, 400, 'missing_field', 'type'],
    [{ type: 'cpuu' }, 400, 'unknown_stressor_type', 'type'],
    [{ ...idle, typo: 1 }, 400, 'unknown_field', 'typo'],
    [{ ...idle, attributes: { laod: 1 } }, 400, 'unknown_field', 'attributes.laod'],
    [{ type: 'cpu', attributes: { load: 10_000 } }, 400, 'invalid_value', 'attributes.load'],
    [{ ...idle, name: '' }, 400, 'invalid_value', 'name'],
    [{ ...idle, name: 's1' }, 400, 'invalid_value', 'name'],
    [{ ...idle, ttlMs: 30_001 }, 400, 'invalid_value', 'ttlMs'], // the server's own maximum
    [{ ...idle, ttlMs: 1e9 }, 400, 'invalid_value', 'ttlMs'],
    [{ ...idle, lease: 5 }, 400, 'invalid_value', 'lease'],
    [{ ...idle, lease: 'none' }, 404, 'lease_not_found', 'lease'],
  ]
  for (const [body, code, name, field] of cases) {
    const answer = await call('POST', '/v1/stressors', body)
    expect([answer.status, answer.body.code, answer.body.field], answer.text).toEqual([code, name, field])
    expect(checked('Problem', answer).expected).toEqual(expect.any(String))
  }
  const unknown = await call('GET', '/v1/stressors/none')
  expect([unknown.status, unknown.body.code]).toEqual([404, 'stressor_not_found'])
  expect((await call('PATCH', '/v1/stressors/none', {})).status).toBe(405)
  expect(childrenOf(process.pid)).toEqual(before)
  expect(await status()).toMatchObject({ stressors: 0, events })
})

test('one is read, told of by feed, metrics and audit log, and ended; it can be read afterwards', async () => {
  const port = Number(new URL(server.url).port)
  const socket = await SocketReader.open(port, '/v1/events?types=stressor_started,stressor_stopped')
  const events = await EventReader.open(port, '/v1/events?stressor=a%20little')
  const { id, pid, ...rest } = await started({ ...idle, name: 'a little' })
  expect(rest).toMatchObject({ type: 'cpu', state: 'running', requested: { cpuCores: 0.01 }, ttlMs: 20_000 })
  expect(rest).toMatchObject({ reason: null, lease: null, attributes: idle.attributes, notes: [], threads: 1 })
  expect(rest.remainingMs).toBeGreaterThan(10_000)
  expect(checked('StressorList', await call('GET', '/v1/stressors')).stressors).toMatchObject([{ id, pid }])
  expect(await status()).toMatchObject({ stressors: 1 })
  const again = await call('POST', '/v1/stressors', { ...idle, name: 'a little' })
  expect([again.status, again.body.code, again.body.field]).toEqual([409, 'stressor_exists', 'name'])

  const [first, report] = await events.until(2)
  expect(first).toMatchObject({ type: 'stressor_started', stressor: id, stressorType: 'cpu', achieved: {} })
  expect(first.detail).toEqual({ name: 'a little' })
  expect(report).toMatchObject({ type: 'stressor_report', stressor: id, requested: { cpuCores: 0.01, workers: 1 } })
  expect(report.achieved.cpuCores).toBeGreaterThan(0)
  const { achieved } = checked('Stressor', await call('GET', '/v1/stressors/a%20little'))
  expect(achieved).toMatchObject({ workers: 1, cpuCores: expect.any(Number) })
  const metrics = async (): Promise<string> => (await call('GET', '/metrics')).text
  const labels = `{id="${id}",type="cpu",figure="cpuCores"}`
  expect(await metrics()).toContain(`faultline_stressor_requested${labels} 0.01\n`)
  expect(await metrics()).toContain(`faultline_stressor_achieved${labels} 0.0`)
  expect(await metrics()).toContain('faultline_stressors 1\n')

  await started({ ...idle, name: 'other' })
  expect((await call('DELETE', '/v1/stressors/a%20little')).status).toBe(204)
  expect(isThere(pid)).toBe(false)
  expect(await metrics()).not.toContain(`id="${id}"`)
  const ended = checked('Stressor', await call('GET', `/v1/stressors/${id}`))
  expect(ended).toMatchObject({ state: 'stopped', reason: 'request', remainingMs: 0, achieved: { workers: 1 } })
  const gone = await call('DELETE', `/v1/stressors/${id}`)
  expect([gone.status, gone.body.code]).toEqual([404, 'stressor_not_found'])

  await events.raw.until(() => events.events.at(-1).type === 'stressor_stopped', 'its end')
  expect(events.events.at(-1)).toMatchObject({ detail: { name: 'a little', reason: 'request' } })
  expect(events.events.every(({ stressor }) => stressor === id)).toBe(true)
  const told = (await socket.until(3)).map(({ type, detail }) => [type, detail.name])
  expect(told.map((entry) => entry.join(' '))).toEqual([
    'stressor_started a little',
    'stressor_started other',
    'stressor_stopped a little',
  ])
  // From a sequence on, without reports.
  const path = `/v1/events?since=${first.sequence}&stressor=${id}&types=stressor_stopped,stressor_started`
  const { events: later } = checked('EventList', await call('GET', path))
  expect(later).toMatchObject([{ type: 'stressor_stopped' }])
  socket.close()
  events.close()

  await expect.poll(audit, POLL).toMatchObject([
    { method: 'POST', target: { type: 'cpu' }, status: 200 }, // the dry run
    { method: 'POST', target: { type: 'cpu', name: 'a little' }, status: 201, created: `/v1/stressors/${id}` },
    { method: 'POST', target: { type: 'cpu', name: 'other' }, status: 201 },
    { method: 'DELETE', target: { stressor: 'a little' }, status: 204 },
  ])
})

test('heal lets them go on; a reset of either API ends them', async () => {
  expect(checked('Status', await call('POST', '/v1/heal'))).toMatchObject({ stressors: 1 })
  expect(checked('StatusAfterEnd', await call('POST', '/v1/reset'))).toMatchObject({ stressors: 0, endedStressors: 1 })
  expect(await reasonOf('other')).toBe('reset')
  const { id, pid } = await started(idle)
  await call('POST', '/reset')
  expect([await reasonOf(id), isThere(pid)]).toEqual(['reset', false])
})

test('a lease holds them: they end with it, and it lets go of those that have ended', async () => {
  const lease = (await call('POST', '/v1/leases', { ttlMs: 60_000 })).body.id
  const held = async (): Promise<unknown> => (await call('GET', `/v1/leases/${lease}`)).body.holds
  const first = await started({ ...idle, lease })
  expect(first).toMatchObject({ lease })
  await started({ ...idle, name: 'short', lease, ttlMs: 1 })
  await expect.poll(held, POLL).toBe(1)
  expect(await reasonOf('short')).toBe('expired')
  await call('POST', '/v1/stressors', { ...idle, lease, attributes: { workers: 1000 } }) // refused
  expect(await held()).toBe(1)
  await call('DELETE', `/v1/leases/${lease}`)
  await expect.poll(() => reasonOf(first.id), POLL).toBe('lease')
  await expect.poll(() => isThere(first.pid), POLL).toBe(false)
})

test('the emergency stop ends all, refuses others until it is taken back, and leaves no process', async () => {
  const { id } = await started(little)
  // Two at a time: for the second no process waits, so that it is not there yet.
  const starting = [call('POST', '/v1/stressors', idle), call('POST', '/v1/stressors', idle)]
  await expect.poll(() => server.stressors.list.length, POLL).toBe(3)
  const stopped = checked('StatusAfterEnd', await call('POST', '/v1/stop'))
  expect(stopped).toMatchObject({ stopped: true, stressors: 0, endedStressors: 3 })
  expect(childrenOf(process.pid)).toEqual([])
  for (const answer of await Promise.all(starting)) {
    // One that had begun in this very moment has been started, and ended.
    if (answer.status !== 201) expect([answer.status, answer.body.code]).toEqual([423, 'stopped'])
  }
  expect(await reasonOf(id)).toBe('stop')

  const refused = await call('POST', '/v1/stressors', idle)
  expect([refused.status, refused.body.code]).toEqual([423, 'stopped'])
  expect((await call('POST', '/v1/stressors', { ...idle, dryRun: true })).status).toBe(200)
  await expect(server.stressors.start(idle)).rejects.toMatchObject({ code: 'stopped' })
  expect(childrenOf(process.pid)).toEqual([])
  await call('POST', '/v1/resume')

  // Also when it does not come over the API.
  await started(idle)
  server.network.stop()
  await expect.poll(() => server.stressors.list, POLL).toEqual([])
  await expect.poll(() => childrenOf(process.pid), POLL).toEqual([])
  server.network.resume()
})

test('when the server closes its own are gone, and none can be started any more', async () => {
  const other = await startAdminServer({ port: 0 })
  const { pid } = await other.stressors.start(idle)
  await other.close()
  expect(isThere(pid!)).toBe(false)
  expect(childrenOf(process.pid)).toEqual([])
  await expect(other.stressors.start(idle)).rejects.toMatchObject({ code: 'stressor_refused' })
})

test('a supervisor that was passed stays open, without stressors, and free of the network', async () => {
  await using stressors = new Stressors()
  const other = await startAdminServer({ port: 0, stressors })
  const { pid } = await stressors.start(idle)
  expect(await (await fetch(`${other.url}/v1/stressors`)).json()).toMatchObject({ stressors: [{ pid }] })
  await other.close()
  expect(isThere(pid!)).toBe(false)
  other.network.stop()
  await stressors.start(idle)
})

test('a server that is to start none refuses them', async () => {
  const other = await startAdminServer({ port: 0, stressors: false })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${other.url}/v1/stressors`, { method: 'POST', headers, body: JSON.stringify(idle) })
  expect(answer.status).toBe(409)
  const detail = 'this server was told to start no stressors'
  expect(await answer.json()).toMatchObject({ code: 'stressor_refused', detail })
  await other.close()
})

test('the types are listed with their schemas', async () => {
  const { stressorTypes: types } = checked('StressorTypeList', await call('GET', '/v1/stressor-types'))
  expect(types.map(({ type }: { type: string }) => type)).toEqual(stressorTypes())
  const cpu = types.find(({ type }: { type: string }) => type === 'cpu')
  expect(cpu).toMatchObject({ describe: expect.any(String), attributes: { properties: { load: { default: 100 } } } })
})
