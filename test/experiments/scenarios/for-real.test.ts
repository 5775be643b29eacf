// Every scenario and every suite of the library for real, in a twentieth of its time: each does what it says, to its full
// height, and leaves nothing. Prints a table of what was seen.
import { statfsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../../cli/experiments/ending.ts'
import type { Journal, StepRecord } from '../../../experiments/model.ts'
import { findScenario, scenarios, suites } from '../../../experiments/scenarios/index.ts'
import { inProcess } from '../../cli/support.ts'
import { MIB } from '../../support/stressors.ts'
import { parametersFor } from './landscape.ts'
import { startRealSystem, type RealSystem } from './real-system.ts'

const isLong = process.env['FAULTLINE_LONG'] !== undefined

let system: RealSystem
beforeAll(async () => {
  if (isLong) system = await startRealSystem()
}, 30_000)
afterAll(() => system?.[Symbol.asyncDispose]())

/** One run, and what is asked of it most. */
interface Seen {
  readonly journal: Journal
  /** Of the failure phase: shares of attempts, and latencies of all of them. */
  readonly failedShare: number
  readonly p50Ms: number
  readonly p95Ms: number
  /** Acts of all its faults together. */
  readonly injections: number
  /** The first step, and what its stressor was after, and had. */
  readonly step: StepRecord
  readonly requested: Readonly<Record<string, number>>
  readonly achieved: Readonly<Record<string, number>>
}

interface Real {
  /** What is asked of the application; `/` is the service itself, through its proxy. Default that. */
  readonly path?: string
  /** Default a twentieth. */
  readonly scale?: number
  /** Fails if the scenario did not do what it is for. */
  readonly check: (seen: Seen) => unknown
}

// Machines that run tests are busy: whatever is measured below has room on the side where that shows.

const cpu = (workers: number): Real => ({
  check({ requested, achieved, step }) {
    expect([requested['workers'], achieved['workers']]).toEqual([workers, workers])
    // How much they get is up to what else runs here.
    expect(achieved['averageLoadPercent']).toBeGreaterThan(0)
    const cores = requested['cpuCores'] ?? 0
    // Where there are fewer, the report says so.
    if (cores > 2) expect(step.notes).toEqual([expect.stringContaining(`${cores} cores' worth is more than the`)])
  },
})

/** A gigabyte takes a second on a quiet machine, and a few on one that is not. */
const memory = (mebibytes: number): Real => ({
  scale: 0.15,
  check({ requested, achieved, step }) {
    expect([requested['bytes'], step.notes]).toEqual([mebibytes * MIB, undefined])
    expect(achieved['residentBytes']).toBeGreaterThan(mebibytes * MIB)
  },
})

const diskIo = (bytesPerSecond: number): Real => ({
  check({ requested, achieved }) {
    expect(requested['bytesPerSecond']).toBe(bytesPerSecond)
    expect(achieved['bytesPerSecond']).toBeGreaterThan(bytesPerSecond / 2)
  },
})

const latency = (ms: number, scale?: number): Real => ({
  ...(scale !== undefined && { scale }),
  check: ({ p50Ms }) => expect(p50Ms).toBeGreaterThanOrEqual(ms),
})

/** At 5 %, hundreds of packets without a loss come once in a million runs. */
const loss: Real = { check: ({ injections }) => expect(injections).toBeGreaterThan(0) }

const outage = (scale?: number): Real => ({
  path: '/rows',
  ...(scale !== undefined && { scale }),
  check: ({ failedShare }) => expect(failedShare).toBeGreaterThan(0.6),
})

/** Its link is cut right away, and who asks gives up after 0.7 s. */
const partition = (...links: readonly string[]): Real => ({
  path: `/through/${links.join('/')}`,
  check: ({ failedShare }) => expect(failedShare).toBeGreaterThan(0.2),
})

const aborts = (scale: number): Real => ({ scale, check: ({ injections }) => expect(injections).toBeGreaterThan(0) })

const cases: Readonly<Record<string, Real>> = {
  'light-cpu-stress': cpu(2),
  'medium-cpu-stress': cpu(4),
  'heavy-cpu-stress': cpu(8),
  'light-memory-stress': memory(256),
  'medium-memory-stress': memory(512),
  'heavy-memory-stress': memory(1024),
  'light-disk-io-stress': diskIo(20_000_000),
  'medium-disk-io-stress': diskIo(40_000_000),
  'heavy-disk-io-stress': diskIo(80_000_000),
  'light-network-latency': latency(50),
  'medium-network-latency': latency(200),
  'heavy-network-latency': latency(500),
  'light-packet-loss': loss,
  'medium-packet-loss': loss,
  'heavy-packet-loss': loss,
  'heavy-packet-loss-long': loss,
  'container-restart': { check: () => expect(system.engine.acts.at(-1)).toMatch(/^restart/) },
  'database-brief-outage': outage(0.15),
  'database-extended-outage': outage(),
  'network-partition-isolate': partition('a-b'),
  'network-partition-halves': partition('a-b'),
  'network-partition-bridge': partition('a-b', 'a-c'),
  'network-partition-majorities-ring': partition('a-b', 'a-c', 'a-d', 'a-e'),
  'network-partition-one-way': partition('a-b'),
  'slow-response': latency(600),
  'dependency-cascade': {
    path: '/through/http/http-2',
    check({ journal, failedShare }) {
      expect(journal.injections['fault latency on http']).toBeGreaterThan(0)
      expect(journal.injections['fault reset_peer on http']).toBeGreaterThan(0)
      expect(failedShare).toBeGreaterThan(0.5)
    },
  },
  'data-pipeline-stall': { check: ({ p95Ms }) => expect(p95Ms).toBeGreaterThan(700) },
  'retry-storm': {
    check({ journal, failedShare, injections }) {
      expect(failedShare).toBeGreaterThan(0.3)
      // Half of the probes, and as many of the load's requests.
      expect(injections).toBeGreaterThan(1.5 * (journal.probes['service answers']?.failure?.failed ?? 0))
    },
  },
  'component-crash': {
    check({ failedShare }) {
      expect(system.component.restarts).toBe(1)
      expect(failedShare).toBeGreaterThan(0)
    },
  },
  'component-hang': { scale: 0.15, check: ({ p95Ms }) => expect(p95Ms).toBeGreaterThan(500) },
  'memory-leak': {
    check: ({ achieved }) => expect((achieved['bytes'] ?? 0) / MIB).toSatisfy((mib: number) => mib > 8 && mib < 64),
  },
  'connection-exhaustion': { check: ({ achieved }) => expect(achieved['connections']).toBe(1000) },
  'disk-full': {
    scale: 0.15,
    check({ requested, achieved }) {
      // Without a disk of its own it would be the machine's.
      if (!system.disk) return
      expect(achieved['bytes']).toBeGreaterThan(1024 * MIB)
      expect(achieved['freeBytes']).toBeLessThan(1.05 * (requested['freeBytes'] ?? 0))
      const { bavail, bsize } = statfsSync(system.disk.folder)
      expect(bavail * bsize).toBeGreaterThan((achieved['freeBytes'] ?? 0) + 1024 * MIB)
    },
  },
  'failover-to-read-only-replica': {
    path: '/orders',
    check({ journal, failedShare }) {
      expect(journal.injections['fault pg_terminate on postgres']).toBe(1)
      expect(failedShare).toBeGreaterThan(0.8)
    },
  },
  'serialization-storm': {
    path: '/orders',
    check({ failedShare, injections }) {
      expect(injections).toBeGreaterThan(0)
      expect(failedShare).toBeLessThan(0.7)
    },
  },
  'latency-stays-bearable': latency(200, 0.01),
  'errors-are-retried': aborts(0.02),
  'breaker-opens': aborts(0.02),
}

async function run(what: readonly string[], names: readonly string[], { path = '/', scale = 0.05 }: Partial<Real>) {
  const set = parametersFor(names, system.disturbed(path)).flatMap((text) => ['--set', text])
  const args = ['run', ...what, ...set, '--set', 'RATE=50/s', '--scale-time', String(scale), '--json']
  const { code, stdout, stderr } = await inProcess(args, { FAULTLINE_URL: system.served.url })
  if (stdout === '') throw new Error(`ended with ${code}: ${stderr}`)
  const journals = [JSON.parse(stdout) as Journal | Journal[]].flat()
  expect(journals.map(({ title }) => title)).toEqual(
    names.map((name) => `${findScenario(name).title}, time × ${scale}`),
  )
  journals.forEach(expectCarriedOut)
  tell(what[1] ?? '', journals)
  expect(await system.remains()).toEqual([])
  return { code, journals }
}

/** All of it was done and undone, whatever the service has made of it. */
function expectCarriedOut({ title, outcome, reason, phases, steps }: Journal): void {
  expect([title, reason, ['passed', 'inconclusive', 'violated'].includes(outcome)]).toEqual([title, undefined, true])
  expect(phases.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['preparation', 'baseline', 'failure', 'recovery', 'validation']),
  )
  for (const { name, appliedMs, undoneMs = Number.NaN, error } of steps) {
    expect([title, name, error, undoneMs >= appliedMs]).toEqual([title, name, undefined, true])
  }
}

function seenIn(journal: Journal): Seen {
  const { failure } = journal.probes['service answers'] ?? {}
  const { attempts = 0, good = 0, p50Ms, p95Ms } = failure ?? {}
  const step = journal.steps.find(({ kind }) => kind !== 'load')!
  return {
    journal,
    failedShare: 1 - good / attempts,
    p50Ms: p50Ms ?? 0,
    p95Ms: p95Ms ?? 0,
    injections: Object.values(journal.injections).reduce((sum, count) => sum + count, 0),
    step,
    requested: step.requested ?? {},
    achieved: step.achieved ?? {},
  }
}

/** A row for each: outcome, probes of the failure phase, what stressors had, acts of faults. */
function tell(what: string, journals: readonly Journal[]): void {
  for (const journal of journals) {
    const { failedShare, p50Ms, p95Ms, injections, achieved } = seenIn(journal)
    const figures = Object.entries(achieved).map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`)
    const probes = `${Math.round(failedShare * 100)} % failed, p50 ${Math.round(p50Ms)} ms, p95 ${Math.round(p95Ms)} ms`
    const acts = injections > 0 ? [`${injections} acts`] : []
    const cells = [what, journal.title, journal.outcome, probes, [...acts, ...figures].join(', ')]
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
  }
}

describe.runIf(isLong)('for real', () => {
  test('there is a case for every scenario', () => {
    expect(Object.keys(cases)).toEqual([...scenarios.keys()])
  })

  test.each([...scenarios.keys()])('%s does what it says, and leaves nothing', { timeout: 90_000 }, async (name) => {
    const real = cases[name]!
    const { code, journals } = await run(['--scenario', name], [name], real)
    expect(code).toBe(exitCodes[journals[0]!.outcome])
    real.check(seenIn(journals[0]!))
  })

  const forSuites = { timeout: 300_000 }
  test.each([...suites.values()])('the suite $name runs to its end, and leaves nothing', forSuites, async (suite) => {
    await run(['--suite', suite.name], suite.scenarios, {})
  })
})
