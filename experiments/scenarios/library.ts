// The library: all scenarios that are ready, and suites of them.
import { FaultlineError } from '../../proxy/errors.ts'
import { nearest } from '../../proxy/nearest.ts'
import { classics } from './classics.ts'
import { components } from './components.ts'
import { hypotheses } from './hypotheses.ts'
import { networks } from './networks.ts'
import type { Scenario } from './scenario.ts'

/** By name. A new one is a line in its file. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [...classics, ...networks, ...components, ...hypotheses].map((scenario) => [scenario.name, scenario]),
)

export interface Suite {
  readonly name: string
  readonly description: string
  /** Names, in the order in which they are run. */
  readonly scenarios: readonly string[]
}

const light = [
  'light-cpu-stress',
  'light-memory-stress',
  'light-disk-io-stress',
  'light-network-latency',
  'light-packet-loss',
]
const medium = light.map((name) => name.replace('light', 'medium'))
const heavy = light.map((name) => name.replace('light', 'heavy'))

export const suites: ReadonlyMap<string, Suite> = new Map(
  [
    { name: 'smoke', description: 'The light ones, in about five minutes.', scenarios: light },
    {
      name: 'standard',
      description: 'The medium ones, and a slow dependency.',
      scenarios: [...medium, 'slow-response'],
    },
    { name: 'stress', description: 'The heavy ones.', scenarios: [...heavy, 'heavy-packet-loss-long'] },
    {
      name: 'basic_resilience',
      description: 'What every service should bear: a slow network, lost packets, a dependency that is slow or gone.',
      scenarios: ['light-network-latency', 'light-packet-loss', 'slow-response', 'database-brief-outage'],
    },
    {
      name: 'comprehensive_stress',
      description: 'Pressure on CPU, memory and disk at every height, and a leak.',
      scenarios: [...light, ...medium, ...heavy].filter((name) => name.endsWith('-stress')).concat('memory-leak'),
    },
    {
      name: 'advanced_chaos',
      description: 'Dependencies that stall, cascade and storm, and an outage that lasts.',
      scenarios: ['data-pipeline-stall', 'dependency-cascade', 'retry-storm', 'database-extended-outage'],
    },
  ].map((suite) => [suite.name, suite]),
)

/** @throws FaultlineError `invalid_value` naming `scenario`, with a guess which was meant */
export function findScenario(name: string): Scenario {
  return find(scenarios, name, 'scenario')
}

/** @throws FaultlineError `invalid_value` naming `suite`, with a guess which was meant */
export function findSuite(name: string): Suite {
  return find(suites, name, 'suite')
}

function find<Entry>(all: ReadonlyMap<string, Entry>, name: string, field: string): Entry {
  const found = all.get(name)
  if (found) return found
  const known = [...all.keys()]
  const close = nearest(name, known)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const expected = `one of ${known.join(', ')}`
  throw new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${JSON.stringify(name)}${hint}`, {
    field,
    expected,
  })
}

/**
 * The values among these that a scenario has parameters for: suites are run with one set for all.
 *
 * @example
 * const file = await scenario.prepare(valuesFor(scenario, { TARGET: url, PROXY: 'payments' }))
 */
export function valuesFor(
  { parameters }: Scenario,
  values: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(parameters, name)))
}
