import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Recorder } from '../../../experiments/measure/recorder.ts'
import type { Attempt } from '../../../experiments/model.ts'
import { truePercentile } from '../../support/service-schedule.ts'

const usual: Attempt = { probe: 'a', phase: 'baseline', intendedMs: 0, latencyMs: 10, outcome: 'good' }

function recorded(attempts: readonly Partial<Attempt>[]): Recorder {
  const recorder = new Recorder()
  for (const attempt of attempts) recorder.record({ ...usual, ...attempt })
  return recorder
}

test('percentiles of any attempts are exact to a thousandth, of good ones and of all', () => {
  const latency = fc.double({ min: 0.01, max: 100_000, noNaN: true })
  const attempts = fc.array(fc.tuple(latency, fc.boolean(), fc.constantFrom('a', 'b')), {
    minLength: 1,
    maxLength: 200,
  })
  fc.assert(
    fc.property(attempts, (drawn) => {
      const figures = recorded(
        drawn.map(([latencyMs, good, probe]) => ({ latencyMs, probe, outcome: good ? 'good' : 'failed' })),
      ).figures()
      const good = drawn.filter(([, isGood]) => isGood).map(([latencyMs]) => latencyMs)
      for (const percent of [50, 95, 99] as const) {
        const all = drawn.map(([latencyMs]) => latencyMs)
        expectClose(figures[`p${percent}Ms`], truePercentile(all, percent))
        expectClose(figures[`goodP${percent}Ms`], good.length === 0 ? null : truePercentile(good, percent))
      }
    }),
    { numRuns: 30 },
  )
})

/** To three digits, and to the microsecond in which latencies are counted. */
function expectClose(measured: number | null, truth: number | null): void {
  if (truth === null || measured === null) expect(measured).toBe(truth)
  else expect(Math.abs(measured - truth)).toBeLessThanOrEqual(truth * 0.001 + 0.001)
}

test('percentiles of parts are merged, not averaged', () => {
  const recorder = recorded([
    ...Array.from({ length: 90 }, () => ({ probe: 'a', latencyMs: 10 })),
    ...Array.from({ length: 10 }, () => ({ probe: 'b', latencyMs: 1000 })),
  ])
  // Averages would be 505 ms.
  expect(recorder.figures().p50Ms).toBeCloseTo(10, 1)
  expect(recorder.figures().p95Ms).toBeCloseTo(1000, 0)
})

test('dropped attempts count, and have no latency', () => {
  const figures = recorded([{}, { outcome: 'failed', latencyMs: 30 }, { outcome: 'dropped', latencyMs: 0 }]).figures()
  expect(figures).toMatchObject({ attempts: 3, good: 1, failed: 1, dropped: 1 })
  expect(figures.p50Ms).toBeCloseTo(10, 1)
  expect(recorded([{ outcome: 'dropped' }]).figures()).toMatchObject({ attempts: 1, p50Ms: null, goodP99Ms: null })
})

test('figures are by probe and phase, in the order of phases', () => {
  const recorder = recorded([{ phase: 'recovery' }, { phase: 'baseline' }, { probe: 'b', phase: 'failure' }])
  const byProbe = recorder.byProbe()
  expect(Object.keys(byProbe['a'] ?? {})).toEqual(['baseline', 'recovery'])
  expect(byProbe['b']?.failure?.attempts).toBe(1)
  expect(recorder.figures({ phases: ['baseline', 'failure'] }).attempts).toBe(2)
  expect(recorder.figures({ probes: ['b'] }).attempts).toBe(1)
  expect(recorder.probes).toEqual(['a', 'b'])
})

test('attempts come in the order of their starts, and belong to the second of it', () => {
  const recorder = recorded([
    { intendedMs: 1500, latencyMs: 20 },
    { intendedMs: 900, latencyMs: 1500, outcome: 'failed' },
    { intendedMs: 1999, phase: 'failure' },
    { intendedMs: 2000, phase: 'failure' },
  ])
  expect(recorder.attempts().map(({ intendedMs }) => intendedMs)).toEqual([900, 1500, 1999, 2000])
  const seconds = recorder.seconds()
  expect(seconds.map(({ second, phase, attempts, good }) => [second, phase, attempts, good])).toEqual([
    [0, 'baseline', 1, 0],
    [1, 'baseline', 1, 1],
    [1, 'failure', 1, 1],
    [2, 'failure', 1, 1],
  ])
  expect(recorder.figuresBetween(1000, 2000).attempts).toBe(2)
})

test('a run has a limit', () => {
  const recorder = new Recorder(1)
  recorder.record(usual)
  expect(() => recorder.record(usual)).toThrow('a run has at most 1 attempts of probes')
})
