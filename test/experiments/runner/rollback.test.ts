// Runs that are not to be rolled back, and loads that grow.
import { describe, expect, test } from 'vitest'
import { startAdminServer } from '../../../admin/index.ts'
import { checkJournal } from '../../../experiments/results/journal-schema.ts'
import { renderMarkdown } from '../../../experiments/results/index.ts'
import { ServerTarget } from '../../../experiments/runner/server-target.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import type { Network } from '../../../proxy/index.ts'
import { startHttpService } from '../../support/http-service.ts'
import { experimentOf, Heard, remains, startSystem } from './support.ts'

const abort = (time: string): string =>
  `{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, ${time} }`
const noop = (time: string): string => `{ fault: { proxy: shop, type: noop }, ${time} }`

function faults(network: Network) {
  return [...(network.proxy('shop')?.faults ?? [])]
}

describe('without rollback', () => {
  test('what acts at the end of the failure phase stays, for its time and by no lease; what ended before does not', async () => {
    await using system = await startSystem()
    const experiment = await experimentOf(system.url, {
      failure: `[${noop('at: 0s, for: 100ms')}, ${abort('at: 100ms, for: 200ms')}]`,
      safety: '{ rollback: false, keepFor: 90s, blastRadius: 50% }',
    })
    const { journal } = await runExperiment(experiment, system.target)
    const [fault, ...others] = faults(system.network)
    expect([fault?.type, others, [...system.network.leases]]).toEqual(['http_abort', [], []])
    expect(fault?.ttlMs).toBe(90_200)
    expect((await fetch(system.url)).status).toBe(503)
    const { steps, phases, verdicts } = checkJournal(JSON.parse(JSON.stringify(journal)))
    expect(steps.map(({ undoneMs, keptUntilMs }) => [undoneMs !== undefined, keptUntilMs !== undefined])).toEqual([
      [true, false],
      [false, true],
    ])
    expect(steps[1]?.keptUntilMs).toBe(steps[1]!.appliedMs + 90_200)
    // There is nothing to recover from, and it can't be well.
    expect(phases.map(({ name }) => name)).toEqual(['preparation', 'baseline', 'failure', 'analysis'])
    const recovery = verdicts.find(({ slo }) => slo === 'recoveryTime')
    expect([recovery?.result, recovery?.why]).toEqual(['inconclusive', expect.stringContaining('was not removed')])
    expect(journal.outcome).toBe('violated')
    expect(renderMarkdown(journal)).toContain('the run ends: violated; 1 step left to act, as it wants no rollback')
    system.network.heal()
    expect((await fetch(system.url)).status).toBe(200)
  })

  test('what somebody has removed meanwhile is not said to be left', async () => {
    await using system = await startSystem()
    const heard = new Heard()
    const partition = '{ partition: { groups: [[client-b], [b]] }, at: 0s, for: 300ms }'
    const experiment = await experimentOf(system.url, {
      failure: `[${partition}, ${noop('at: 0s, for: 300ms')}]`,
      safety: '{ rollback: false, blastRadius: 100% }',
    })
    const run = runExperiment(experiment, system.target, heard)
    await Promise.all([heard.begun('partition'), heard.begun('fault')])
    system.network.heal()
    const { journal } = await run
    expect(journal.outcome).toBe('error')
    const disturbing = journal.steps.filter(({ kind }) => kind !== 'check')
    expect(disturbing.map(({ error, keptUntilMs }) => [error, keptUntilMs])).toEqual(
      Array.from({ length: 2 }, () => ['it ended before its time: somebody has removed it', undefined]),
    )
  })

  test('so does what acts when the run is stopped; what presses or loads never does', async () => {
    await using system = await startSystem()
    const heard = new Heard()
    const interrupt = new AbortController()
    const load = `{ load: { http: "${system.url}", rate: 20/s }, at: 0s, for: 10s }`
    const partition = '{ partition: { groups: [[client-b], [b]] }, at: 0s, for: 10s }'
    const experiment = await experimentOf(system.url, {
      failure: `[${load}, ${partition}, ${noop('at: 0s, for: 5s')}]`,
      safety: '{ rollback: false, blastRadius: 100% }',
    })
    const run = runExperiment(experiment, system.target, { signal: interrupt.signal, onEvent: heard.onEvent })
    await Promise.all([heard.begun('load'), heard.begun('partition'), heard.begun('fault')])
    interrupt.abort(new Error('enough'))
    const { journal } = await run
    expect(journal).toMatchObject({ outcome: 'aborted', reason: 'enough' })
    const left = journal.steps.filter(({ keptUntilMs }) => keptUntilMs !== undefined).map(({ kind }) => kind)
    expect(left.toSorted()).toEqual(['fault', 'partition'])
    expect(system.network.partitions).toHaveLength(1)
    expect(faults(system.network).map(({ type }) => type)).toEqual(['noop'])
    expect(heard.events.find(({ kind }) => kind === 'reverted')).toMatchObject({ kept: [{}, {}] })
  })

  test('nothing stays if all has ended before: it recovers and is validated as ever', async () => {
    await using system = await startSystem()
    const experiment = await experimentOf(system.url, {
      failure: `[${noop('at: 0s, for: 100ms')}, { wait: 100ms }]`,
      safety: '{ rollback: false }',
    })
    const { journal } = await runExperiment(experiment, system.target)
    expect(remains(system.network)).toEqual([])
    expect(journal.phases.map(({ name }) => name)).toContain('validation')
  })

  test('on a server, too: its faults outlive the one that ran it', async () => {
    await using service = await startHttpService((_request, response) => response.end('hello'))
    const upstream = `127.0.0.1:${service.port}`
    const server = await startAdminServer({ port: 0, proxies: [{ name: 'shop', upstream, protocol: 'http' }] })
    const target = new ServerTarget({ url: server.url })
    const experiment = await experimentOf(`http://127.0.0.1:${server.network.proxy('shop')?.port}`, {
      failure: `[${noop('for: 100ms')}]`,
      safety: '{ rollback: false, keepFor: 1m, blastRadius: 100% }',
    })
    await runExperiment(experiment, target)
    await target.close()
    expect([...server.network.leases]).toEqual([])
    expect(faults(server.network).map(({ type, ttlMs }) => [type, ttlMs])).toEqual([['noop', 60_100]])
    await server.close()
  })
})

test('a load grows to its rate', async () => {
  await using system = await startSystem()
  let requests = 0
  await using loaded = await startHttpService((_request, response) => {
    requests++
    response.end()
  })
  const experiment = await experimentOf(system.url, {
    failure: `[${noop('for: 100ms')}]`,
    phases: `stress: { load: { http: "${loaded.url}", rate: 200/s, ramp: 400ms }, for: 400ms }`,
  })
  await runExperiment(experiment, system.target)
  // Half of the 80 that it would be at once, less those that were given up at the end.
  expect(requests).toBeGreaterThan(20)
  expect(requests).toBeLessThan(60)
})
