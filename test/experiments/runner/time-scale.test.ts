// An experiment in less time: what goes on for a time gets shorter, and nothing else changes.
import { expect, test } from 'vitest'
import { MIN_TIME_SCALE, scaleTime } from '../../../experiments/runner/time-scale.ts'
import { inProcess } from '../../cli/support.ts'
import { experimentOf } from './support.ts'

const latency = '{ fault: { proxy: shop, type: latency, attributes: { latency: 30 } }, for: 20s, ramp: 10s }'
const failure = `[${latency}, { wait: 10s }, { process: { pid: 1, action: kill } }, { stress: { kind: cpu }, for: 100ms }]`
const phases = 'stress: { load: { http: "http://127.0.0.1:1", rate: 50/s }, for: 40s }'

function parsed() {
  return experimentOf('http://127.0.0.1:1', {
    failure,
    phases,
    expect: '{ p95: "< 400ms" }, settle: 5s',
    safety: '{ maxDuration: 5m }',
  })
}

test('baseline, load, steps with their ramps, pauses and what is not counted are scaled', async () => {
  const experiment = await parsed()
  const { title, baseline, stress, failure, steadyStates } = scaleTime(experiment, 0.1)
  expect(title).toBe('a test, time × 0.1')
  expect([baseline.forMs, stress?.forMs, stress?.step.untilMs, failure.forMs]).toEqual([40, 4000, 4000, 3010])
  expect(failure.steps.map(({ fromMs, untilMs, rampMs }) => [fromMs, untilMs, rampMs])).toEqual([
    [0, 2000, 1000],
    [3000, 3000, 0], // it is done at once
    [3000, 3010, 0],
  ])
  expect(steadyStates[0]?.settleMs).toBe(500)
})

test('bounds, rates, heights and thresholds are not', async () => {
  const experiment = await parsed()
  const scaled = scaleTime(experiment, 0.1)
  const kept = ['preparation', 'recovery', 'slo', 'safety', 'seed', 'environment'] as const
  for (const field of kept) expect(scaled[field]).toEqual(experiment[field])
  expect(scaled.failure.steps.map(({ action, severity }) => [action, severity])).toEqual(
    experiment.failure.steps.map(({ action, severity }) => [action, severity]),
  )
  expect(scaled.steadyStates.map(({ perSecond }) => perSecond)).toEqual([50])
  expect(scaleTime(experiment, 1)).toBe(experiment)
})

test('no step gets shorter than a millisecond, nor a ramp longer than its step', async () => {
  const short = '[{ fault: { proxy: shop, type: latency, attributes: { latency: 30 } }, for: 30ms, ramp: 30ms }]'
  const experiment = await experimentOf('http://127.0.0.1:1', { failure: short })
  const { failure } = scaleTime(experiment, MIN_TIME_SCALE)
  expect(failure.steps.map(({ fromMs, untilMs, rampMs }) => [fromMs, untilMs, rampMs])).toEqual([[0, 1, 0]])
  expect(failure.forMs).toBe(1)
})

test.each(['0', '0.001', '1.5', 'half'])('a factor of %s is refused', async (factor) => {
  const { code, stderr } = await inProcess(['run', 'any.yaml', '--scale-time', factor])
  expect([code, stderr]).toEqual([2, expect.stringContaining(`--scale-time: expected a number from 0.01 to 1, got`)])
})
