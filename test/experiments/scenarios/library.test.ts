// The library: every scenario can be run as it is, and is a file that people can start from.
import { describe, expect, test } from 'vitest'
import { NetworkTarget } from '../../../experiments/runner/network-target.ts'
import { usualSlo } from '../../../experiments/file/thresholds.ts'
import { planExperiment } from '../../../experiments/runner/plan.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import {
  findScenario,
  findSuite,
  Scenario,
  scenarios,
  suites,
  valuesFor,
} from '../../../experiments/scenarios/index.ts'
import type { ParameterValues } from '../../../experiments/scenarios/index.ts'
import { Network } from '../../../proxy/index.ts'
import { Stressors } from '../../../resource-stressors/index.ts'
import { startHttpService } from '../../support/http-service.ts'
import { MIB } from '../../support/stressors.ts'
import { remains } from '../runner/support.ts'

const names = ['a', 'b', 'c', 'd', 'e']
const services = Object.fromEntries(names.map((name) => [`SERVICE_${name.toUpperCase()}`, name]))

/** A value for everything that has no default. */
const values: ParameterValues = {
  TARGET: 'http://127.0.0.1:1',
  PROXY: 'http',
  PROXY_2: 'http-2',
  BLAST_RADIUS: '100%',
  CONTAINER: 'db',
  PROCESS: 'worker',
  ADDRESS: '127.0.0.1:1',
  ...services,
}

/** Proxies of two protocols, and one between any two services. */
async function createProxies(network: Network, upstream: string): Promise<void> {
  for (const name of ['http', 'http-2']) await network.createProxy({ name, upstream, protocol: 'http' })
  await network.createProxy({ name: 'postgres', upstream, protocol: 'postgres' })
  for (const from of names) {
    for (const to of names) {
      if (from < to) await network.createProxy({ name: `${from}-${to}`, upstream, from, to, enabled: false })
    }
  }
}

const isDatabase = (name: string): boolean => ['failover-to-read-only-replica', 'serialization-storm'].includes(name)

test('it has the nineteen classics, with the times and numbers that they are known by', () => {
  const figures = ['light', 'medium', 'heavy'].map((severity) => {
    const of = (what: string, parameter: string): unknown =>
      findScenario(`${severity}-${what}`).parameters[parameter]?.default
    return [
      [of('cpu-stress', 'WORKERS'), of('cpu-stress', 'DURATION')],
      [Number(of('memory-stress', 'BYTES')) / MIB, of('memory-stress', 'DURATION')],
      [of('disk-io-stress', 'WORKERS'), of('disk-io-stress', 'DURATION')],
      [of('network-latency', 'LATENCY'), of('network-latency', 'DURATION')],
      [of('packet-loss', 'LOSS'), of('packet-loss', 'DURATION')],
    ]
  })
  expect(figures).toEqual([
    [
      [2, '30s'],
      [256, '30s'],
      [1, '30s'],
      [50, '30s'],
      ['0.05', '30s'],
    ],
    [
      [4, '45s'],
      [512, '45s'],
      [2, '45s'],
      [200, '45s'],
      ['0.15', '45s'],
    ],
    [
      [8, '60s'],
      [1024, '60s'],
      [4, '60s'],
      [500, '60s'],
      ['0.3', '30s'],
    ],
  ])
  const rest = ['heavy-packet-loss-long', 'container-restart', 'database-brief-outage', 'database-extended-outage']
  expect(rest.map((name) => findScenario(name).parameters['DURATION']?.default)).toEqual(['60s', '60s', '10s', '30s'])
})

describe('every scenario', () => {
  test('has the limit of latency that environments have, unless another is given', async () => {
    const { experiment } = await findScenario('light-cpu-stress').prepare({ TARGET: 'http://a', DEGRADATION: '2s' })
    expect(experiment.slo.latencyDegradationMs).toBe(2000)
    for (const environment of ['development', 'staging', 'production'] as const) {
      const usual = await findScenario('light-cpu-stress').prepare({ TARGET: 'http://a' }, environment)
      expect(usual.experiment.slo).toEqual(usualSlo[environment])
    }
    // It has one of its own, by another parameter: one that is ignored must not be taken.
    expect(findScenario('latency-stays-bearable').parameters).not.toHaveProperty('DEGRADATION')
  })

  test.each([...scenarios.values()])('$name is a file that can be run, and can be read again', async (scenario) => {
    const given = valuesFor(scenario, values)
    const { experiment } = await scenario.prepare(given)
    expect(experiment.title).toBe(scenario.title)
    expect(experiment.failure.steps.length).toBeGreaterThan(0)
    const again = Scenario.parse('copy.yaml', scenario.text)
    expect((await again.prepare(given)).experiment).toEqual(experiment)
  })

  test('on proxies passes a dry run, with its blast radius', async () => {
    await using network = new Network()
    await createProxies(network, '127.0.0.1:1')
    const target = new NetworkTarget({ network })
    const refused: string[] = []
    for (const scenario of scenarios.values()) {
      const PROXY = isDatabase(scenario.name) ? 'postgres' : 'http'
      const { experiment } = await scenario.prepare(valuesFor(scenario, { ...values, PROXY }))
      if (experiment.failure.steps.some(({ action }) => action.kind === 'stress')) continue
      const plan = await planExperiment(experiment, target, { isDryRun: true }).catch((error: Error) => error)
      if (plan instanceof Error) refused.push(`${scenario.name}: ${plan.message}`)
      else if (plan.steps.every(({ blastRadius }) => blastRadius === 0))
        refused.push(`${scenario.name}: touches nothing`)
    }
    expect(refused).toEqual([])
    expect(remains(network)).toEqual([])
  })
})

test('suites are made of scenarios that there are', () => {
  expect([...suites.keys()]).toEqual([
    'smoke',
    'standard',
    'stress',
    'basic_resilience',
    'comprehensive_stress',
    'advanced_chaos',
  ])
  for (const suite of suites.values()) for (const name of suite.scenarios) findScenario(name)
  const seconds = findSuite('smoke').scenarios.length * (15 + 30 + 10)
  expect(seconds).toBeLessThanOrEqual(300)
})

describe('parameters', () => {
  test.each<[string, ParameterValues, string]>([
    [
      'missing',
      { TARGET: 'x' },
      'parameters.PROXY: missing, expected a text: The name of the proxy that the fault is on.',
    ],
    ['unknown', { TARGT: 'x' }, 'parameters.TARGT: unknown parameter (did you mean "TARGET"?)'],
    [
      'of another type',
      { ...values, LATENCY: 'long' },
      'parameters.LATENCY: expected an integer from 0 to 600000, got "long"',
    ],
    [
      'too large',
      { ...values, DURATION: '2h' },
      'parameters.DURATION: expected a duration such as 60s from 100ms to 1h, got "2h"',
    ],
    ['too small', { ...values, DURATION: '1ms' }, 'parameters.DURATION: expected a duration'],
  ])('%s', async (_what, given, message) => {
    const scenario = findScenario('light-network-latency')
    const known = { ...scenario.parameters, TARGT: {} }
    const own = Object.fromEntries(Object.entries(given).filter(([name]) => Object.hasOwn(known, name)))
    await expect(scenario.prepare(own)).rejects.toThrow(message)
  })

  test('a name that is none gets a guess', () => {
    expect(() => findScenario('ligth-cpu-stress')).toThrow('(did you mean "light-cpu-stress"?)')
    expect(() => findSuite('smok')).toThrow('(did you mean "smoke"?)')
  })

  test("of one's own scenario are checked by its own file", () => {
    const text = 'title: x\nscenario: { name: My One, category: network, complexity: basic, severity: ligt }\n'
    expect(() => Scenario.parse('own.yaml', text)).toThrow(
      /own\.yaml:2:19: scenario\.name: expected lower-case words.*\nown\.yaml:2:\d+: scenario\.severity: .*\(did you mean "light"\?\)/,
    )
    expect(() => Scenario.parse('own.yaml', 'title: x')).toThrow('scenario: missing')
  })
})

test('a suite runs for real, scaled down in time, and leaves nothing', async () => {
  await using service = await startHttpService((_request, response) => {
    response.end('hello')
  })
  await using stressors = new Stressors()
  await using network = new Network()
  await createProxies(network, `127.0.0.1:${service.port}`)
  const target = new NetworkTarget({ network, stressors })
  const scaled = {
    ...values,
    TARGET: `http://127.0.0.1:${network.proxy('http')?.port}`,
    RATE: '50/s',
    BASELINE: '250ms',
    RECOVERY: '300ms',
    DURATION: '250ms',
    RAMP: '200ms',
    LATENCY: '5',
    WORKERS: '1',
    LOAD: '5',
  }
  const outcomes: string[] = []
  for (const name of [
    'light-cpu-stress',
    'light-network-latency',
    'database-brief-outage',
    'network-partition-halves',
  ]) {
    const scenario = findScenario(name)
    const { experiment } = await scenario.prepare(valuesFor(scenario, scaled))
    const { journal } = await runExperiment(experiment, target)
    outcomes.push(`${name} ${journal.outcome} ${journal.steps.every(({ undoneMs }) => undoneMs !== undefined)}`)
  }
  // So short a run can tell nothing for sure but that a database outage is felt.
  expect(outcomes).toEqual([
    expect.stringMatching(/^light-cpu-stress (passed|inconclusive|violated) true$/),
    expect.stringMatching(/^light-network-latency (passed|inconclusive|violated) true$/),
    'database-brief-outage violated true',
    expect.stringMatching(/^network-partition-halves (passed|inconclusive|violated) true$/),
  ])
  expect([remains(network), stressors.list.length]).toEqual([[], 0])
})
