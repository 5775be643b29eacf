// A run from beginning to end: on a real service behind a proxy, with times scaled down.
import { describe, expect, test } from 'vitest'
import { runExperiment } from '../../../experiments/runner/run.ts'
import { experimentOf, Heard, remains, startSystem } from './support.ts'

const latency = (for_: string, more = ''): string =>
  `{ fault: { proxy: shop, type: latency, attributes: { latency: 30 } }, for: ${for_}${more} }`
const abort = '{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, for: 400ms }'

describe('a service that copes', () => {
  test('passes, through all seven phases, and nothing is left', async () => {
    await using system = await startSystem()
    const experiment = await experimentOf(system.url, {
      failure: `[${latency('500ms')}]`,
      expect: '{ p95: "< 400ms" }',
    })
    const { journal } = await runExperiment(experiment, system.target)
    expect(journal.reason).toBeUndefined()
    expect(journal.phases.map(({ name }) => name)).toEqual([
      'preparation',
      'baseline',
      'failure',
      'recovery',
      'validation',
      'analysis',
    ])
    const [fault, check] = journal.steps
    expect(fault).toMatchObject({ phase: 'failure', name: 'fault latency on shop', kind: 'fault' })
    // It acted until its time was over, counted from the begin of its phase: how late it began is the machine's business.
    const { fromMs } = journal.phases.find(({ name }) => name === 'failure')!
    expect(fault!.undoneMs! - fromMs).toBeGreaterThanOrEqual(500)
    expect(check).toMatchObject({ phase: 'validation', name: 'service_health_check', kind: 'check' })
    expect(journal.injections['fault latency on shop']).toBeGreaterThan(5)
    expect(journal.probes['answers']?.failure?.p50Ms).toBeGreaterThan(30)
    expect(journal.verdicts.map(({ slo }) => slo)).toEqual([
      'errorRate',
      'availability',
      'latencyDegradation',
      'mttr',
      'recoveryTime',
      'answers: p95',
      'service_health_check',
    ])
    expect(journal.verdicts.filter(({ result }) => result === 'fail')).toEqual([])
    expect(remains(system.network)).toEqual([])
  })

  test('a fault that is ramped up grows by changes, to its full intensity', async () => {
    await using system = await startSystem()
    const seen: number[] = []
    system.network.changes.subscribe(({ type }) => {
      const fault = [...(system.network.proxy('shop')?.faults ?? [])][0]
      if (type === 'fault_added' || type === 'fault_changed') seen.push(Number(fault?.attributes['latency']))
    })
    const failure = `[${latency('900ms', ', ramp: 800ms')}]`
    await runExperiment(await experimentOf(system.url, { failure }), system.target)
    // 0.8 s with a change every 200 ms.
    expect(seen).toEqual([0, 8, 15, 23, 30])
  })
})

describe('a service that does not', () => {
  test('is found out: what failed, when it was seen, and how long it took', async () => {
    await using system = await startSystem()
    const { journal } = await runExperiment(await experimentOf(system.url, { failure: `[${abort}]` }), system.target)
    expect(journal.outcome).toBe('violated')
    expect(journal.reasons).toEqual({ answers: { 'status 503, expected 200 to 299': expect.any(Number) } })
    const failed = journal.verdicts.filter(({ result }) => result === 'fail').map(({ slo }) => slo)
    expect(failed).toEqual(expect.arrayContaining(['errorRate', 'availability']))
    expect(journal.outages).toHaveLength(1)
    // Probes are 20 ms apart.
    expect(journal.detectionMs).toBeLessThan(200)
    expect(journal.recoveryMs.stable).not.toBeNull()
    expect(remains(system.network)).toEqual([])
  })

  test('and if it does not recover, the checks at the end fail as well', async () => {
    await using system = await startSystem()
    const heard = new Heard()
    const run = runExperiment(await experimentOf(system.url, { failure: `[${abort}]` }), system.target, heard)
    await heard.begun('fault')
    system.healthy = false
    const { journal } = await run
    expect(journal.verdicts.find(({ slo }) => slo === 'service_health_check')).toMatchObject({
      result: 'fail',
      n: 2,
      why: 'It was not good after 2 attempts: answers: status 500, expected 200 to 299.',
    })
    expect(journal.recoveryMs).toEqual({ first: null, stable: null })
  })
})

describe('what is not steady beforehand', () => {
  test('a probe that is not good: nothing acts', async () => {
    await using system = await startSystem()
    system.healthy = false
    const experiment = await experimentOf(system.url, { failure: `[${abort}]`, phases: '' })
    const { preparation, ...rest } = experiment
    const { journal, errors } = await runExperiment(
      { ...rest, preparation: { ...preparation, atMostMs: 150 } },
      system.target,
    )
    expect(journal).toMatchObject({ outcome: 'error', steps: [], verdicts: [] })
    expect(errors.map(({ field }) => field)).toEqual(['steadyState.0'])
    expect(journal.reason).toContain('steadyState.0 (answers): expected a probe that is good before anything acts')
    expect(journal.phases.map(({ name }) => name)).toEqual(['preparation'])
  })

  test('a baseline that is not: nothing acts', async () => {
    await using system = await startSystem()
    const heard = new Heard()
    const run = runExperiment(await experimentOf(system.url, { failure: `[${abort}]` }), system.target, heard)
    await heard.until((event): event is typeof event => event.kind === 'phase' && event.phase === 'baseline')
    system.healthy = false
    const { journal, errors } = await run
    expect(journal).toMatchObject({ outcome: 'error', steps: [] })
    expect(errors[0]?.message).toContain('good in the baseline')
  })
})

test('three act on a network at a time, others wait their turn', async () => {
  await using system = await startSystem()
  const experiment = await experimentOf(system.url, { failure: `[${latency('100ms')}]` })
  const acting = new AbortController()
  const heard = ['1', '2', '3'].map(() => new Heard())
  const runs = heard.map(({ onEvent }) => runExperiment(experiment, system.target, { onEvent, signal: acting.signal }))
  await Promise.all(heard.map((each) => each.until((event): event is typeof event => event.kind === 'phase')))
  const fourth = new Heard()
  const waiting = runExperiment(experiment, system.target, fourth)
  await fourth.until((event): event is typeof event => event.kind === 'queued')
  const fifth = new AbortController()
  const other = new Heard()
  const given = runExperiment(experiment, system.target, { signal: fifth.signal, onEvent: other.onEvent })
  await other.until((event): event is typeof event => event.kind === 'queued')
  expect([...system.network.leases].map(({ ahead }) => ahead)).toEqual([0, 0, 0, 1, 2])
  fifth.abort(new Error('not wanted any more'))
  await expect(given).rejects.toThrow('not wanted any more')
  expect(fourth.events).toEqual([{ kind: 'queued', ahead: 1 }])
  acting.abort(new Error('enough'))
  await Promise.all([...runs, waiting])
  expect(fourth.events.slice(0, 3)).toMatchObject([{ ahead: 1 }, { ahead: 0 }, { kind: 'phase' }])
  expect(remains(system.network)).toEqual([])
})
