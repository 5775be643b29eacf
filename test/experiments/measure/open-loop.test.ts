import { afterEach, expect, test } from 'vitest'
import { OpenLoop, type OpenLoopOptions } from '../../../experiments/measure/open-loop.ts'
import { startTimes } from '../../../experiments/measure/start-times.ts'
import type { Attempt } from '../../../experiments/model.ts'
import type { ProbeAnswer } from '../../../experiments/probes/probe.ts'
import { ManualClock } from '../../../proxy/clock.ts'
import { passTime } from '../../support/service-schedule.ts'

/** A clock that is later than its timers believe. */
class LateClock extends ManualClock {
  lateMs = 0

  override now(): number {
    return super.now() + this.lateMs
  }
}

const loops: OpenLoop[] = []
afterEach(() => Promise.all(loops.splice(0).map((loop) => loop.stop().catch(() => undefined))))

const FAILED: ProbeAnswer = { good: false, reason: 'status 503, expected 200' }

type LoopOptions = Partial<Omit<OpenLoopOptions, 'clock'>>

interface SetUp extends LoopOptions {
  /** Infinity: the probe never answers. */
  readonly latencyMs: number
  readonly answer?: ProbeAnswer
  readonly clock?: ManualClock
}

function setUp({ latencyMs, answer = { good: true }, clock = new ManualClock(), ...options }: SetUp) {
  const attempts: Attempt[] = []
  const signals: AbortSignal[] = []
  const run = (signal: AbortSignal): Promise<ProbeAnswer> => {
    signals.push(signal)
    return new Promise((resolve) => {
      if (latencyMs < Infinity) clock.setTimer(() => resolve(answer), latencyMs)
      signal.addEventListener('abort', () => resolve({ good: false, reason: 'given up' }))
    })
  }
  const loop = new OpenLoop({
    probe: { name: 'probe', run },
    ratePerSecond: 20,
    clock,
    phase: () => 'baseline',
    onAttempt: (attempt) => attempts.push(attempt),
    ...options,
  })
  loops.push(loop)
  return { clock, attempts, signals, loop }
}

test('lateness of timers does not add up', async () => {
  const clock = new LateClock()
  const setTimer = clock.setTimer.bind(clock)
  const { attempts, loop } = setUp({ latencyMs: 1, clock })
  // Each is a millisecond late: a loop that counts from its last start would be a second late in the end.
  clock.setTimer = (callback, delayMs) => setTimer(callback, delayMs + 1)
  loop.start()
  await passTime(clock, 50_003, 1)
  expect(attempts).toHaveLength(1001)
  expect(attempts.at(-1)?.intendedMs).toBe(50_001)
})

test('a rate that is ramped grows evenly, and stays', async () => {
  const { clock, attempts, loop } = setUp({
    latencyMs: 1,
    ratePerSecond: 100,
    ramp: { fromPerSecond: 0, overMs: 1000 },
  })
  loop.start()
  await passTime(clock, 2000, 1)
  const started = (fromMs: number, untilMs: number): number =>
    attempts.filter(({ intendedMs }) => intendedMs >= fromMs && intendedMs < untilMs).length
  // The areas below the line: from 0 to 50 in the first half of it, to 100 in the second; then all of the rate.
  const counts = [started(0, 500), started(500, 1000), started(1000, 1500)]
  for (const [index, count] of [12.5, 37.5, 50].entries())
    expect(Math.abs(counts[index]! - count)).toBeLessThanOrEqual(1)
})

test.each([
  [{ fromPerSecond: 50, overMs: 1000 }, 75],
  [{ fromPerSecond: 300, overMs: 1000 }, 200],
  [{ fromPerSecond: 100, overMs: 1000 }, 100],
])('from wherever it begins: %o', (ramp, inSecond) => {
  const time = startTimes(100, ramp)
  expect([0, inSecond, inSecond + 100].map((count) => Math.round(time(count)))).toEqual([0, 1000, 2000])
  const times = Array.from({ length: 400 }, (_, count) => time(count))
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('a slow answer holds no start up', async () => {
  const { clock, attempts, loop } = setUp({ latencyMs: 1000 })
  loop.start()
  await passTime(clock, 2000, 5)
  expect(attempts.map(({ intendedMs }) => intendedMs)).toEqual(Array.from({ length: 21 }, (_, index) => index * 50))
  expect(new Set(attempts.map(({ latencyMs }) => latencyMs))).toEqual(new Set([1000]))
})

test('a start that was held up counts from when it should have been, one within the grain of timers from when it was', async () => {
  const clock = new LateClock()
  const { attempts, loop } = setUp({ latencyMs: 10, clock })
  loop.start()
  await passTime(clock, 20, 5)
  clock.lateMs = 1.5
  await passTime(clock, 50, 5)
  clock.lateMs = 31.5
  await passTime(clock, 50, 5)
  expect(attempts.map(({ intendedMs, latencyMs }) => [intendedMs, latencyMs])).toEqual([
    [0, 10],
    [51.5, 10],
    // At 131.5 it was started, as soon as the process could.
    [100, 41.5],
  ])
})

test('after a standstill of the process all starts that were due are made up for', async () => {
  const clock = new LateClock()
  const { attempts, loop } = setUp({ latencyMs: 10, clock })
  loop.start()
  await passTime(clock, 45, 5)
  clock.lateMs = 200
  await passTime(clock, 20, 5)
  expect(attempts.map(({ intendedMs, latencyMs }) => [intendedMs, latencyMs])).toEqual([
    [0, 10],
    [50, 210],
    [100, 160],
    [150, 110],
    [200, 60],
    [250, 10],
  ])
})

test('starts beyond the limit are dropped, and told of', async () => {
  const { clock, attempts, loop } = setUp({ latencyMs: Infinity, maxOutstanding: 2 })
  loop.start()
  await passTime(clock, 200, 5)
  expect(loop.outstanding).toBe(2)
  expect(attempts.map(({ intendedMs, outcome, reason }) => [intendedMs, outcome, reason])).toEqual([
    [100, 'dropped', '2 under way'],
    [150, 'dropped', '2 under way'],
    [200, 'dropped', '2 under way'],
  ])
})

test('drain starts no more, and waits for what is under way', async () => {
  const { clock, attempts, loop } = setUp({ latencyMs: 120 })
  loop.start()
  await passTime(clock, 100, 5)
  const drained = loop.drain()
  await passTime(clock, 200, 5)
  await drained
  expect(attempts.map(({ intendedMs }) => intendedMs)).toEqual([0, 50, 100])
  expect(clock.pendingTimers).toBe(0)
})

test('stop gives up what is under way: it is no attempt, but is told of', async () => {
  const { clock, attempts, signals, loop } = setUp({ latencyMs: 60 })
  loop.start()
  await passTime(clock, 100, 5)
  const givenUp = await loop.stop()
  expect(signals.map((signal) => signal.aborted)).toEqual([false, true, true])
  expect(attempts.map(({ intendedMs }) => intendedMs)).toEqual([0])
  expect(givenUp).toEqual([
    { probe: 'probe', intendedMs: 50, waitedMs: 50 },
    { probe: 'probe', intendedMs: 100, waitedMs: 0 },
  ])
  await passTime(clock, 200, 5)
  expect(signals).toHaveLength(3)
})

test('attempts are of the phase in which they start, and have the reason of their failure', async () => {
  let phase: 'baseline' | 'failure' = 'baseline'
  const { clock, attempts, loop } = setUp({ latencyMs: 10, answer: FAILED, phase: () => phase })
  loop.start()
  await passTime(clock, 5, 5)
  phase = 'failure'
  await passTime(clock, 55, 5)
  const common = { probe: 'probe', latencyMs: 10, outcome: 'failed', reason: 'status 503, expected 200' }
  expect(attempts).toEqual([
    { ...common, phase: 'baseline', intendedMs: 0 },
    { ...common, phase: 'failure', intendedMs: 50 },
  ])
})

test.each<[string, LoopOptions]>([
  ['probe', { probe: { name: 'probe', run: () => Promise.reject(new Error('mine')) } }],
  [
    'listener',
    {
      onAttempt: () => {
        throw new Error('mine')
      },
    },
  ],
])('an error of the %s ends the loop, and who ends it hears of it', async (_who, options) => {
  const { clock, signals, loop } = setUp({ latencyMs: 10, ...options })
  loop.start()
  await passTime(clock, 500, 5)
  expect(signals.length).toBeLessThan(2)
  await expect(loop.drain()).rejects.toThrow('mine')
})

test.each<[LoopOptions, string]>([
  [{ ratePerSecond: 0 }, 'ratePerSecond: expected a number above 0 and at most 10000, got 0'],
  [{ ratePerSecond: Number.NaN }, 'ratePerSecond: expected a number above 0'],
  [{ maxOutstanding: 1.5 }, 'maxOutstanding: expected an integer ≥ 1, got 1.5'],
])('%j is refused', (wrong, message) => {
  expect(() => setUp({ latencyMs: 1, ...wrong })).toThrow(message)
})
