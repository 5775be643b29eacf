// What is measured of a service of which everything is known, against what is known.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { analyse, type Analysis } from '../../../experiments/measure/analysis.ts'
import { OpenLoop } from '../../../experiments/measure/open-loop.ts'
import { Recorder } from '../../../experiments/measure/recorder.ts'
import type { PhaseName } from '../../../experiments/model.ts'
import { createProbe } from '../../../experiments/probes/create.ts'
import { ManualClock } from '../../../proxy/clock.ts'
import {
  passTime,
  simulatedProbe,
  startScheduledService,
  trueAttempts,
  truePercentile,
  type Stretch,
} from '../../support/service-schedule.ts'

interface Experiment {
  readonly schedule: readonly Stretch[]
  readonly appliedMs: number
  readonly removedMs: number
  readonly forMs: number
  readonly ratePerSecond: number
  readonly timeoutMs: number
}

function phaseAt({ appliedMs, removedMs }: Experiment, atMs: number): PhaseName {
  if (atMs < appliedMs) return 'baseline'
  return atMs < removedMs ? 'failure' : 'recovery'
}

async function simulate(experiment: Experiment): Promise<Recorder> {
  const { schedule, forMs, ratePerSecond, timeoutMs } = experiment
  const clock = new ManualClock()
  const recorder = new Recorder()
  const loop = new OpenLoop({
    probe: simulatedProbe(schedule, clock, timeoutMs),
    ratePerSecond,
    maxOutstanding: 1000,
    clock,
    phase: () => phaseAt(experiment, clock.now()),
    onAttempt: (attempt) => recorder.record(attempt),
  })
  loop.start()
  // The last start is one interval before the end.
  await passTime(clock, forMs - STEP_MS, STEP_MS)
  const drained = loop.drain()
  await passTime(clock, timeoutMs, STEP_MS)
  await drained
  return recorder
}

/** All latencies, starts and stretches are multiples of it. */
const STEP_MS = 5

function analysisOf(experiment: Experiment, recorder: Recorder): Analysis {
  const { appliedMs, removedMs, forMs } = experiment
  return analyse({ recorder, probes: recorder.probes, appliedMs, removedMs, untilMs: forMs })
}

/** Within 2 % of the truth, or one interval of the probe. */
function expectNear(measured: number | null, truth: number, intervalMs: number): void {
  expect(measured).not.toBeNull()
  expect(Math.abs(measured! - truth)).toBeLessThanOrEqual(Math.max(Math.abs(truth) * 0.02, intervalMs))
}

function expectPercentiles(recorder: Recorder, experiment: Experiment, slackMs: number): void {
  for (const phase of ['baseline', 'failure', 'recovery'] as const) {
    const truth = trueAttempts(experiment.schedule, experiment).filter(
      ({ startMs }) => phaseAt(experiment, startMs) === phase,
    )
    const all = truth.map(({ latencyMs }) => latencyMs)
    const good = truth.filter((attempt) => attempt.good).map(({ latencyMs }) => latencyMs)
    const figures = recorder.figures({ phases: [phase] })
    for (const percent of [50, 95, 99] as const) {
      expectNear(figures[`p${percent}Ms`], truePercentile(all, percent), slackMs)
      expectNear(figures[`goodP${percent}Ms`], truePercentile(good, percent), slackMs)
    }
  }
}

const SLOW_MS = 400

/** A stall of 10 s; four good seconds; four of errors, at whose end the fault goes; three slow ones. */
const stalled: Experiment = {
  schedule: [
    { fromMs: 0, latencyMs: 10 },
    { fromMs: 10_000, latencyMs: 10, trouble: 'stall' },
    { fromMs: 20_000, latencyMs: 10 },
    { fromMs: 24_000, latencyMs: 5, trouble: 'errors' },
    { fromMs: 28_000, latencyMs: SLOW_MS },
    { fromMs: 31_000, latencyMs: 10 },
  ],
  appliedMs: 10_000,
  removedMs: 28_000,
  forMs: 60_000,
  ratePerSecond: 20,
  timeoutMs: 2000,
}

test('a stall of 10 s, errors and a slow return are measured as they were', async () => {
  const analysis = analysisOf(stalled, await simulate(stalled))
  const intervalMs = 50
  // Of 1000 starts since the fault: in 8 s of the stall they time out (in the last 2 s they are answered in time, but for
  // the one that would have needed 2010 ms), and 4 s have errors.
  expect(analysis.counts).toEqual({ attempts: 1000, good: 1000 - 161 - 80, dropped: 0 })
  expect(analysis.outages).toHaveLength(2)
  const [first, second] = analysis.outages
  expectNear(first!.fromMs, 10_000, intervalMs)
  expectNear(first!.untilMs!, 20_010, intervalMs)
  expectNear(second!.fromMs, 24_000, intervalMs)
  expectNear(second!.untilMs!, 28_000 + SLOW_MS, intervalMs)
  expect(analysis.mttr).toMatchObject({ n: 2, censored: 0 })
  expectNear(analysis.mttr.meanMs, (10_010 + 4000 + SLOW_MS) / 2, intervalMs)
  expect(analysis.uptime).toBeCloseTo(1 - (10_010 + 4000 + SLOW_MS) / 50_000, 2)
  // The first timeout is over two seconds after its start.
  expectNear(analysis.detectionMs, 2000, intervalMs)
  expectNear(analysis.recovery.firstMs, SLOW_MS, intervalMs)
  expectNear(analysis.recovery.stableMs, 3000, intervalMs)
})

test('percentiles of each phase are those of the truth', async () => {
  const recorder = await simulate(stalled)
  // HDR histograms are exact to a thousandth; simulated time has no other error.
  expectPercentiles(recorder, stalled, 0)
  const { degradation } = analysisOf(stalled, recorder)
  expectNear(degradation.p50Ms, 1000, 50)
  expectNear(degradation.p95Ms, 1990, 1)
})

test('an outage that does not end is censored: no recovery, no mean, but a least one', async () => {
  const schedule: Stretch[] = [
    { fromMs: 0, latencyMs: 10 },
    { fromMs: 5000, latencyMs: 10, trouble: 'errors' },
  ]
  const experiment = { ...stalled, schedule, appliedMs: 5000, removedMs: 8000, forMs: 15_000 }
  const analysis = analysisOf(experiment, await simulate(experiment))
  expect(analysis.outages).toEqual([{ fromMs: 5000 }])
  expect(analysis.mttr).toEqual({ meanMs: null, n: 0, censored: 1, atLeastMs: 10_000 })
  expect(analysis.recovery).toEqual({ firstMs: null, stableMs: null })
  expect(analysis.uptime).toBe(0)
})

test('an outage begins with the fault, also for attempts that were under way', async () => {
  const schedule: Stretch[] = [
    { fromMs: 0, latencyMs: 1000 },
    // What was asked in the last second before the fault at 5000 is an error too.
    { fromMs: 4000, latencyMs: 1000, trouble: 'errors' },
    { fromMs: 8000, latencyMs: 1000 },
  ]
  const experiment = { ...stalled, schedule, appliedMs: 5000, removedMs: 8000, forMs: 15_000 }
  const analysis = analysisOf(experiment, await simulate(experiment))
  expect(analysis.outages).toEqual([{ fromMs: 5000, untilMs: 9000 }])
  expect(analysis.detectionMs).toBe(0)
})

test('a service that copes has no outage, and nothing is averaged', async () => {
  const schedule: Stretch[] = [
    { fromMs: 0, latencyMs: 10 },
    { fromMs: 5000, latencyMs: 60 },
    { fromMs: 10_000, latencyMs: 10 },
  ]
  const experiment = { ...stalled, schedule, appliedMs: 5000, removedMs: 10_000, forMs: 15_000 }
  const analysis = analysisOf(experiment, await simulate(experiment))
  expect(analysis).toMatchObject({ outages: [], detectionMs: null, uptime: 1 })
  expect(analysis.mttr).toEqual({ meanMs: null, n: 0, censored: 0, atLeastMs: null })
  expectNear(analysis.degradation.goodP99Ms, 50, 1)
  expectNear(analysis.recovery.stableMs, 10, 1)
})

test('an open loop sees a stall that a closed one is blind to', async () => {
  const stall: Experiment = { ...stalled, schedule: stalled.schedule.slice(0, 3), timeoutMs: 30_000 }
  const open = (await simulate(stall)).figures()
  // Of 1200 starts the 13th longest is the p99. It came 600 ms after the stall had begun.
  expectNear(open.p99Ms, 9410, 1)

  // Asks again 50 ms after it last asked, or when it is answered.
  const clock = new ManualClock()
  const probe = simulatedProbe(stall.schedule, clock, stall.timeoutMs)
  const closed: number[] = []
  const ask = (): void => {
    const startMs = clock.now()
    const answered = (): void => {
      closed.push(clock.now() - startMs)
      clock.setTimer(ask, Math.max(0, 50 - (clock.now() - startMs)))
    }
    void probe.run(new AbortController().signal).then(answered)
  }
  ask()
  await passTime(clock, stall.forMs, STEP_MS)
  expect(closed.length).toBeGreaterThan(900)
  expect(truePercentile(closed, 99)).toBe(10)
})

/** With time shortened, and asked oftener. */
function scaled(factor: number): Experiment {
  // Slow answers have to come within the slow stretch.
  const scale = ({ fromMs, latencyMs, ...rest }: Stretch): Stretch => {
    return { ...rest, fromMs: fromMs * factor, latencyMs: latencyMs === SLOW_MS && factor < 1 ? 150 : latencyMs }
  }
  return {
    schedule: stalled.schedule.map(scale),
    appliedMs: stalled.appliedMs * factor,
    removedMs: stalled.removedMs * factor,
    forMs: stalled.forMs * factor,
    ratePerSecond: factor < 1 ? 40 : 20,
    timeoutMs: factor < 1 ? 500 : 2000,
  }
}

/** The longest time for which this process did nothing that was due. */
function startLagMeter(): Disposable & { maxMs(): number } {
  const resolutionMs = 1
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  return { maxMs: () => histogram.max / 1e6 - resolutionMs, [Symbol.dispose]: () => void histogram.disable() }
}

const long = process.env['FAULTLINE_LONG'] === '1'

/** The same in real time against a real server: shorter for every day, and at its full length. */
test.each<[string, Experiment]>([
  ['a stall of a second', scaled(0.1)],
  ...(long ? ([['a stall of 10 s', scaled(1)]] as [string, Experiment][]) : []),
])('%s of a real HTTP service is measured as it was', { timeout: 90_000 }, async (_name, experiment) => {
  const { schedule, appliedMs, removedMs, forMs, ratePerSecond, timeoutMs } = experiment
  // A busy machine holds up service and probe alike: then the schedule is not quite the truth any more. By how much is
  // measured beside it; a loop that is blind to the stall would be off by ten times as much as a busy day's lag.
  using lag = startLagMeter()
  await using service = await startScheduledService(schedule)
  await using probe = createProbe({ kind: 'http', name: 'service', url: service.url, timeoutMs })
  const originMs = service.begin()
  const recorder = new Recorder()
  const loop = new OpenLoop({
    probe,
    ratePerSecond,
    originMs,
    phase: () => phaseAt(experiment, performance.now() - originMs),
    onAttempt: (attempt) => recorder.record(attempt),
  })
  loop.start()
  await delay(forMs - (performance.now() - originMs))
  await loop.drain()
  const analysis = analysisOf(experiment, recorder)
  // The start, the service's waiting and the answer may each be held up.
  const slackMs = 1000 / ratePerSecond + 3 * lag.maxMs()
  const truth = trueAttempts(schedule, experiment)
  const attempts = recorder.attempts()
  // The last start is just before the end or just after it; every other one is in its place.
  expect(Math.abs(attempts.length - truth.length)).toBeLessThanOrEqual(1)
  // At the beginning of the errors, at their end, and where waiting becomes too long, it may go either way.
  const good = truth.filter((attempt) => attempt.good).length
  expect(Math.abs(recorder.figures().good - good) * (1000 / ratePerSecond)).toBeLessThanOrEqual(3 * slackMs)
  expectPercentiles(recorder, experiment, slackMs)
  expectNear(analysis.detectionMs, timeoutMs, slackMs)
  expect(analysis.outages).toHaveLength(2)
  const [, , afterStall, errors, slow, usual] = schedule as [Stretch, Stretch, Stretch, Stretch, Stretch, Stretch]
  expectNear(
    analysis.mttr.meanMs,
    (afterStall.fromMs - appliedMs + slow.fromMs + slow.latencyMs - errors.fromMs) / 2,
    2 * slackMs,
  )
  expectNear(analysis.recovery.firstMs, slow.latencyMs, slackMs)
  expectNear(analysis.recovery.stableMs, usual.fromMs - removedMs, slackMs)
})
