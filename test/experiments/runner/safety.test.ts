// What an experiment may not do, and the way back from wherever it stops.
import { describe, expect, test } from 'vitest'
import { describePlan, planExperiment } from '../../../experiments/runner/plan.ts'
import { RefusedError } from '../../../experiments/runner/refused-error.ts'
import { runExperiment, type RunOptions } from '../../../experiments/runner/run.ts'
import type { ExperimentTarget } from '../../../experiments/runner/target.ts'
import { viewProxy } from '../../../admin/routes/views.ts'
import type { Network } from '../../../proxy/index.ts'
import { Stressors } from '../../../resource-stressors/index.ts'
import { isThere } from '../../support/stressors.ts'
import { TargetProcess } from '../../support/target-process.ts'
import { experimentOf, Heard, remains, startSystem, type Parts, type System } from './support.ts'

const abort = '{ fault: { proxy: shop, type: http_abort, attributes: { status: 503 } }, for: 20s }'
const latency = '{ fault: { proxy: shop, type: latency, attributes: { latency: 5 } }, for: 20s }'
const cut = '{ partition: { groups: [[client-b], [b]] }, for: 20s }'

/** Runs until it is stopped: by whatever the parts say, or by who hears of it. */
async function runUntilStopped(system: System, parts: Parts, options: RunOptions = {}) {
  const heard = new Heard()
  const experiment = await experimentOf(system.url, { phases: '', safety: '{ blastRadius: 100% }', ...parts })
  const running = runExperiment(experiment, system.target, { ...options, onEvent: heard.onEvent })
  return { heard, running }
}

/** The promise, with room: below 5 s always, below 1 s at the median. */
const REVERTED_WITHIN_MS = 1000

describe('reverts everything at once', () => {
  test('when a condition holds, by the very attempt that shows it', async () => {
    await using system = await startSystem()
    const safety = '{ blastRadius: 100%, abortWhen: [{ errorRate: "> 50%", over: 200ms, atLeast: 5 }] }'
    const failure = `[{ parallel: [${abort}, ${cut}, { fault: { proxy: c, type: noop }, for: 20s }] }]`
    const { heard, running } = await runUntilStopped(system, { failure, safety })
    const { journal } = await running
    expect(journal.outcome).toBe('aborted')
    expect(journal.reason).toMatch(/^errorRate > 50%: it was \d+(\.\d)?% in the last 200ms$/)
    expect(heard.revertedAfterMs).toBeLessThan(REVERTED_WITHIN_MS)
    expect(journal.steps.map(({ name, undoneMs }) => [name, undoneMs! > 0])).toEqual([
      ['fault http_abort on shop', true],
      ['partition of client-b, b', true],
      ['fault noop on c', true],
    ])
    expect(remains(system.network)).toEqual([])
    expect(journal.phases.at(-1)?.name).toBe('failure')
  })

  test('when whoever started it wants no more', async () => {
    await using system = await startSystem()
    const controller = new AbortController()
    const { heard, running } = await runUntilStopped(system, { failure: `[${latency}]` }, { signal: controller.signal })
    await heard.begun('fault')
    controller.abort(new Error('SIGINT'))
    const { journal } = await running
    expect(journal).toMatchObject({ outcome: 'aborted', reason: 'SIGINT' })
    expect(heard.revertedAfterMs).toBeLessThan(REVERTED_WITHIN_MS)
    expect(remains(system.network)).toEqual([])
  })

  test('also while the target does not answer what the next step asks of it', async () => {
    await using system = await startSystem()
    const { target } = system
    const proxies = target.proxies.bind(target)
    const failure = `[${latency}, { at: 100ms, fault: { proxy: c, type: noop }, for: 1s }]`
    const controller = new AbortController()
    const { heard, running } = await runUntilStopped(system, { failure }, { signal: controller.signal })
    await heard.begun('fault')
    let answer: (() => void) | undefined
    await new Promise<void>((asked) => {
      target.proxies = () => {
        asked()
        return new Promise((resolve) => {
          answer = () => resolve(proxies())
        })
      }
    })
    controller.abort(new Error('enough'))
    await heard.until((event): event is typeof event => event.kind === 'reverted')
    expect(remains(system.network)).toEqual([])
    answer?.()
    await running
    expect(remains(system.network)).toEqual([])
  })

  test('when it takes too long', async () => {
    await using system = await startSystem()
    const failure = latency.replace('20s', '500ms')
    const { preparation, safety, ...rest } = await experimentOf(system.url, { failure: `[${failure}]` })
    const limited = { ...rest, preparation, safety: { ...safety, maxDurationMs: 600 } }
    const { journal } = await runExperiment(limited, system.target)
    expect(journal).toMatchObject({ outcome: 'aborted', reason: 'it took longer than 600ms, safety.maxDuration' })
    expect(remains(system.network)).toEqual([])
  })

  test('when a step fails, also those that acted before', async () => {
    await using system = await startSystem()
    const failing = '{ at: 300ms, fault: { proxy: c, type: noop }, for: 1s }'
    const { heard, running } = await runUntilStopped(system, { failure: `[${latency}, ${failing}]` })
    await heard.begun('fault')
    await system.network.proxy('c')!.close()
    system.network.proxy('c')!.addFault = () => {
      throw new Error('the proxy is broken')
    }
    const { journal } = await running
    expect(journal).toMatchObject({ outcome: 'error', reason: 'fault noop on c: the proxy is broken' })
    expect(journal.steps.map(({ error, undoneMs }) => [error, undoneMs! > 0])).toEqual([
      [undefined, true],
      ['the proxy is broken', true],
    ])
    expect(remains(system.network)).toEqual([])
  })

  test.each([
    ['a fault', latency, (network: Network) => network.proxy('shop')?.removeAllFaults()],
    ['a partition', cut, (network: Network) => network.heal()],
    ['a fault, just', latency.replace('20s', '500ms'), (network: Network) => network.heal()],
    ['a partition, just', cut.replace('20s', '500ms'), (network: Network) => network.heal()],
  ])('with an error, when somebody removes %s before its time', async (_what, step, remove) => {
    await using system = await startSystem()
    const { heard, running } = await runUntilStopped(system, { failure: `[${step}]` })
    await heard.until((event): event is typeof event => event.kind === 'step')
    remove(system.network)
    const { journal } = await running
    expect(journal.outcome).toBe('error')
    expect(journal.reason).toContain('it ended before its time: somebody has removed it')
    expect(remains(system.network)).toEqual([])
  })

  test('when the lease that holds it all is lost', async () => {
    await using system = await startSystem()
    const { heard, running } = await runUntilStopped(system, { failure: `[${latency}]` })
    await heard.begun('fault')
    for (const lease of system.network.leases) lease.end()
    const { journal } = await running
    expect(journal.outcome).toBe('error')
    expect(journal.reason).toContain('that holds the experiment is lost')
    expect(remains(system.network)).toEqual([])
  })

  test('and stopped processes go on', async () => {
    await using victim = new TargetProcess('victim-of-tests')
    await using stressors = new Stressors()
    await using system = await startSystem(stressors)
    const controller = new AbortController()
    const failure = `[{ process: { pid: ${victim.pid}, action: hang }, for: 20s }]`
    const { heard, running } = await runUntilStopped(system, { failure }, { signal: controller.signal })
    await heard.begun('stress')
    await expect.poll(() => victim.isStopped).toBe(true) // as soon as it gets to run, and so to its signal
    controller.abort(new Error('enough'))
    const { journal } = await running
    expect(journal).toMatchObject({ outcome: 'aborted', steps: [{ name: `process hang of ${victim.pid}` }] })
    expect([isThere(victim.pid), victim.isStopped, stressors.list.length]).toEqual([true, false, 0])
  })

  test('a stressor that ends before its time is an error, not a system that has borne it', async () => {
    await using stressors = new Stressors()
    await using system = await startSystem(stressors)
    const failure = '[{ stress: { kind: cpu, load: 1, workers: 1 }, for: 2s }]'
    const { heard, running } = await runUntilStopped(system, { failure })
    await heard.begun('stress')
    const [stressor] = stressors.list
    process.kill(stressor!.pid!, 'SIGKILL')
    await stressor!.untilEnd()
    const { journal } = await running
    expect(journal).toMatchObject({
      outcome: 'error',
      reason: 'stress cpu: it ended before its time: its process has ended',
      steps: [{ requested: { workers: 1 }, error: 'it ended before its time: its process has ended' }, {}],
    })
  })

  test('and so is one that somebody stops', async () => {
    await using stressors = new Stressors()
    await using system = await startSystem(stressors)
    const failure = '[{ stress: { kind: cpu, load: 1, workers: 1 }, for: 1s }]'
    const { heard, running } = await runUntilStopped(system, { failure })
    await heard.begun('stress')
    await stressors.list[0]!.stop()
    const { journal } = await running
    expect([journal.outcome, journal.reason]).toEqual([
      'error',
      'stress cpu: it ended before its time: somebody has removed it',
    ])
  })

  test('what can not be undone is an outcome of its own', async () => {
    await using system = await startSystem()
    const { heard, running } = await runUntilStopped(system, { failure: `[${latency.replace('20s', '300ms')}]` })
    await heard.begun('fault')
    const proxy = system.network.proxy('shop')!
    proxy.removeFault = () => {
      throw new Error('it stays')
    }
    const { journal } = await running
    Reflect.deleteProperty(proxy, 'removeFault')
    expect(journal.outcome).toBe('cleanup-incomplete')
    expect(journal.reason).toContain('fault latency on shop could not be undone: it stays')
    expect(journal.steps[0]).toMatchObject({ error: 'not undone: it stays' })
  })
})

/** Everything about a network that can be seen, and how much has ever happened to it. */
function stateOf(network: Network): unknown {
  const proxies = [...network.proxies].map((proxy) => viewProxy(proxy))
  return structuredClone({ proxies, changes: network.changes.total, connections: network.connectionEvents.total })
}

async function refusals(target: ExperimentTarget, url: string, parts: Parts, options = {}): Promise<string[]> {
  const experiment = await experimentOf(url, parts)
  const error: unknown = await runExperiment(experiment, target, options).catch((thrown: unknown) => thrown)
  if (!(error instanceof RefusedError)) throw new Error('expected a RefusedError', { cause: error })
  return error.errors.map(({ message }) => message)
}

describe('is refused before anything acts', () => {
  const radius = 'steps that touch at most 30% of the proxies, safety.blastRadius, got'

  test.each<[string, Parts, string[]]>([
    [
      'proxies that are not there, all of them',
      {
        failure: '[{ fault: { proxy: shp, type: noop }, for: 1s }, { fault: { proxy: orders, type: noop }, for: 1s }]',
      },
      [
        'phases.failure.0.fault.proxy: expected one of shop, b, c, d, got "shp" (did you mean "shop"?)',
        'phases.failure.1.fault.proxy: expected one of shop, b, c, d, got "orders"',
      ],
    ],
    [
      'faults that the proxy can not carry',
      { failure: '[{ fault: { proxy: b, type: http_abort, attributes: { status: 503 } }, for: 1s }]' },
      [
        'phases.failure.0.fault.type: expected what a proxy with protocol tcp carries, got http_abort, which needs http',
      ],
    ],
    [
      'services that are not there',
      { failure: '[{ partition: { groups: [[client], [shp]] }, for: 1s }]' },
      [
        'phases.failure.0.partition.groups.1.0: expected one of client, shop, client-b, b, client-c, c, client-d, d, got "shp"',
      ],
    ],
    [
      'stressors where there are none',
      { failure: '[{ stress: { kind: cpu }, for: 1s }]' },
      ['phases.failure.0.stress: this target was given nothing that starts stressors'],
    ],
    [
      'more proxies than may be touched, also one after another',
      { failure: '[{ fault: { proxy: b, type: noop }, for: 1s }, { fault: { proxy: c, type: noop }, for: 1s }]' },
      [`phases.failure.1.fault.proxy: expected ${radius} 2 of 4 (50%)`],
    ],
    [
      'the same by partitions',
      { failure: '[{ partition: { groups: [[client, client-b], [shop, b]] }, for: 1s }]' },
      [`phases.failure.0.partition: expected ${radius} 2 of 4 (50%)`],
    ],
    [
      'more than may be touched by one type',
      { failure: `[${latency}]`, safety: '{ blastRadiusByType: { latency: 20% } }' },
      [
        'phases.failure.0.fault.proxy: expected steps that touch at most 20% of the proxies, ' +
          'safety.blastRadiusByType.latency, got 1 of 4 (25%)',
      ],
    ],
    [
      'production without a confirmation',
      { failure: `[${latency}]`, head: 'environment: production' },
      ['environment: expected a confirmation that this may act in production'],
    ],
  ])('%s', async (_what, parts, expected) => {
    await using system = await startSystem()
    const before = stateOf(system.network)
    expect(await refusals(system.target, system.url, parts)).toEqual(expected)
    expect(stateOf(system.network)).toEqual(before)
  })

  test('anything while the emergency stop is on', async () => {
    await using system = await startSystem()
    system.network.stop()
    const [reason] = await refusals(system.target, system.url, { failure: `[${latency}]` })
    expect(reason).toContain('the emergency stop of the network of this process is on')
  })
})

test('blast radius is enforced again before each step, as proxies may be gone by then', async () => {
  await using system = await startSystem()
  const failure = `[${latency}, { at: 300ms, fault: { proxy: b, type: noop }, for: 1s }]`
  const { heard, running } = await runUntilStopped(system, { failure, safety: '{ blastRadius: 50% }' })
  await heard.begun('fault')
  await system.network.removeProxy('d')
  const { journal } = await running
  expect(journal).toMatchObject({ outcome: 'error' })
  expect(journal.reason).toContain('at most 50% of the proxies, safety.blastRadius, got 2 of 3 (66.7%)')
  expect(remains(system.network)).toEqual([])
})

test('a dry run says what every step would do, and touches nothing', async () => {
  await using stressors = new Stressors()
  await using system = await startSystem(stressors)
  const failure = `[
    ${latency.replace('20s', '20s, ramp: 5s')},
    { at: 5s, stress: { kind: cpu, load: 40, workers: 1 }, for: 10s },
    { at: 5s, partition: { groups: [[client-d], [d]] }, for: 10s }]`
  const experiment = await experimentOf(system.url, {
    failure,
    safety: '{ blastRadius: 50% }',
    head: 'environment: production',
    phases: '',
  }).catch(() => undefined)
  // Severity 4 of a partition is more than production allows.
  expect(experiment).toBeUndefined()
  const allowed = await experimentOf(system.url, {
    failure,
    safety: '{ blastRadius: 50%, severity: 4 }',
    head: 'environment: production',
  })
  const before = stateOf(system.network)
  const plan = await planExperiment(allowed, system.target, { isDryRun: true })
  expect(stateOf(system.network)).toEqual(before)
  expect([stressors.list.length, stressors.events.total]).toEqual([0, 0])
  expect(describePlan(plan)).toEqual([
    'a test, on the network of this process: 3 steps, 23.4s at most',
    'baseline 400ms',
    'failure 0ms to 20s: fault latency on shop, growing for 5s; severity 1; touches shop; blast radius 25% of 4',
    'failure 5s to 15s: stress cpu; severity 1; touches no proxy; blast radius 25% of 4',
    expect.stringContaining('loadPercent 40'),
    'failure 5s to 15s: partition of client-d, d; severity 4; touches d; blast radius 50% of 4',
    '  cuts d',
    'recovery 1s at most',
    'validation: service_health_check',
  ])
})
