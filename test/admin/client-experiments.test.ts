// Experiments, scenarios and recovery by the typed client; and what the feed tells of a run.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isAdminClientError } from '../../admin/client.ts'
import { V1Client } from '../../admin/client/v1-client.ts'
import { feedTypes } from '../../admin/feed/entry.ts'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import type { FeedEntryView } from '../../admin/client/v1-answers.ts'
import { startHttpService, type HttpService } from '../support/http-service.ts'

let service: HttpService
let server: AdminServer
let client: V1Client
let url: string
beforeAll(async () => {
  service = await startHttpService((_request, response) => response.end('hello'))
  const upstream = `127.0.0.1:${service.port}`
  server = await startAdminServer({
    port: 0,
    tokens: { alice: 'token-of-alice', bob: 'token-of-bob' },
    proxies: [{ name: 'shop', upstream, protocol: 'http' }],
  })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
  client = new V1Client(server.url, { token: 'token-of-alice' })
})
afterEach(async () => {
  for (const { id } of await client.experiments()) await client.removeExperiment(id)
})
afterAll(async () => {
  await client.close()
  await server.close()
  await service[Symbol.asyncDispose]()
})

function spec({ fault = 'type: noop', forMs = 100, more = '' } = {}) {
  const file = `title: The shop answers
seed: 1
steadyState: [{ name: shop, http: "\${URL}", rate: 50/s }]
phases:
  preparation: { atMost: 2s }
  baseline: { for: 100ms }
  failure: [{ fault: { proxy: shop, ${fault} }, for: ${forMs}ms }]
  recovery: { atMost: 1s, consecutive: 2 }
  validation: { steps: [service_health_check] }
${more}`
  return { file, parameters: { URL: url } }
}

const whole = 'safety: { blastRadius: 100% }'
const experimentTypes = feedTypes.filter((type) => type.startsWith('experiment_'))

/** What the feed tells of it until it has finished. */
async function entriesOf(experiment: string, since: number): Promise<FeedEntryView[]> {
  const end = new AbortController()
  const entries: FeedEntryView[] = []
  for await (const entry of client.feed({ types: experimentTypes, experiment, since, signal: end.signal })) {
    entries.push(entry)
    if (entry.type === 'experiment_finished') end.abort()
  }
  return entries
}

describe('the client', () => {
  test('has an experiment checked, planned, run, and reads what came of it', async () => {
    const { id } = await client.createExperiment(spec({ more: whole }))
    expect((await client.planExperiment(id)).steps).toMatchObject([{ name: 'fault noop on shop', touches: ['shop'] }])
    const { events: since } = await client.status()
    const finished = entriesOf(id, since)
    expect(['queued', 'running']).toContain((await client.startExperiment(id)).state)
    await finished
    // So few probes decide nothing, but that they were all good.
    expect(await client.experiment(id)).toMatchObject({ state: 'ended', outcome: 'inconclusive', hasResults: true })
    const { verdicts, phases } = await client.experimentResults(id)
    expect(verdicts.find(({ slo }) => slo === 'service_health_check')?.result).toBe('pass')
    expect(phases.at(-1)?.name).toBe('analysis')
    expect(await client.experimentReport(id, 'markdown')).toMatch(/^## .* The shop answers: inconclusive\n/)
    expect(await client.recovery(id)).toMatchObject({ id, recovered: true, checks: [{ name: 'service_health_check' }] })
  })

  test('says what was refused, with its code', async () => {
    const refusal = await client.createExperiment(spec({ fault: 'type: nope' })).catch((error: unknown) => error)
    if (!isAdminClientError(refusal)) throw new Error('expected an AdminClientError', { cause: refusal })
    expect([refusal.status, refusal.problem?.field]).toEqual([400, 'phases.failure.0.fault.type'])
    await expect(client.experimentReport('none', 'html')).rejects.toThrow('there is no experiment with the id "none"')
    await expect(client.scenario('none')).rejects.toThrow('there is no scenario named "none"')
  })

  test('reads the library', async () => {
    const { scenarios, suites } = await client.scenarios()
    expect(scenarios.map(({ name }) => name)).toContain('light-network-latency')
    expect(suites.map(({ name }) => name)).toContain('smoke')
    expect((await client.scenario('light-network-latency')).parameters).toHaveProperty('PROXY')
  })

  test('approves, as somebody else', async () => {
    const { id } = await client.createExperiment(spec({ more: `environment: production\n${whole}` }))
    const bob = new V1Client(server.url, { token: 'token-of-bob' })
    expect(await bob.approveExperiment(id)).toMatchObject({ createdBy: 'alice', approvedBy: 'bob' })
    await bob.close()
    expect(await client.stopExperiment(id)).toMatchObject({ state: 'ended', outcome: 'aborted' })
  })
})

describe('the feed', () => {
  test('tells how a run goes, and of no other one', async () => {
    const { events: since } = await client.status()
    const { id } = await client.createExperiment(spec({ more: whole }))
    const other = await client.createExperiment(spec({ more: whole }))
    await client.stopExperiment(other.id)
    const told = entriesOf(id, since)
    await client.startExperiment(id)
    const entries = await told
    const { phases, outcome } = await client.experimentResults(id)
    expect(entries.filter(({ type }) => type === 'experiment_phase').map(({ detail }) => detail['phase'])).toEqual(
      phases.map(({ name }) => name),
    )
    const steps = entries.filter(({ type }) => type === 'experiment_step')
    expect(steps.map(({ detail }) => [detail['phase'], detail['step'], detail['state']])).toEqual([
      ['failure', 'fault noop on shop', 'begun'],
      ['failure', 'fault noop on shop', 'undone'],
      ['validation', 'service_health_check', 'passed'],
    ])
    expect(entries[0]).toMatchObject({
      type: 'experiment_started',
      detail: { experiment: id, title: 'The shop answers' },
    })
    expect(entries.at(-1)).toMatchObject({ type: 'experiment_finished', detail: { experiment: id, outcome } })
    expect(Number(entries.at(-1)?.detail['attempts'])).toBeGreaterThan(5)
  })

  test('tells of a breach, and why it ended', async () => {
    const { events: since } = await client.status()
    const safety = 'safety: { blastRadius: 100%, abortWhen: [{ errorRate: "> 40%", over: 200ms, atLeast: 4 }] }'
    const fault = 'type: http_abort, attributes: { status: 503 }'
    const { id } = await client.createExperiment(spec({ fault, forMs: 60_000, more: safety }))
    const told = entriesOf(id, since)
    await client.startExperiment(id)
    const last = (await told).slice(-4)
    const of = (type: string): unknown => last.find((entry) => entry.type === type)?.detail['reason']
    expect(of('experiment_breached')).toMatch(/^errorRate > 40%: it was /)
    expect(of('experiment_stopping')).toBe(of('experiment_breached'))
    expect(last.at(-1)).toMatchObject({ type: 'experiment_finished', detail: { outcome: 'aborted' } })
    expect(last.at(-1)?.detail['reason']).toBe(of('experiment_breached'))
  })
})
