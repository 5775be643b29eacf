// What is watched beside a run: conditions to abort by, and the machine.
import { describe, expect, test } from 'vitest'
import { AbortWatch } from '../../../experiments/runner/abort-watch.ts'
import { MachineMonitor, type MachineSample } from '../../../experiments/runner/machine-monitor.ts'
import { parseExperiment } from '../../../experiments/file/load.ts'
import type { Attempt } from '../../../experiments/model.ts'
import { minimal } from '../file/texts.ts'

async function watchOf(conditions: string): Promise<{ watch: AbortWatch; breaches: string[] }> {
  const { safety } = await parseExperiment('test.yaml', `safety: { abortWhen: [${conditions}] }\n${minimal}`)
  const breaches: string[] = []
  return { watch: new AbortWatch(safety.abortWhen, (reason) => breaches.push(reason)), breaches }
}

function attempt(intendedMs: number, outcome: Attempt['outcome'], latencyMs = 10): Attempt {
  return { probe: 'a', phase: 'failure', intendedMs, latencyMs, outcome }
}

const calm = { cpu: 0.1, memory: 0.1, disk: 0.1, eventLoopLagMs: 1 }

describe('conditions of probes', () => {
  test('hold with the very attempt that makes them, and not before', async () => {
    const { watch, breaches } = await watchOf('{ errorRate: "> 50%", over: 1s, atLeast: 4 }')
    for (const [index, outcome] of (['good', 'failed', 'failed'] as const).entries()) {
      watch.attempted(attempt(index * 100, outcome))
    }
    expect(breaches).toEqual([])
    watch.attempted(attempt(300, 'dropped'))
    expect(breaches).toEqual(['errorRate > 50%: it was 75% in the last 1s'])
  })

  test('look back no further than they say', async () => {
    const { watch, breaches } = await watchOf('{ availability: "< 50%", over: 1s, atLeast: 3 }')
    for (const ms of [0, 1, 2]) watch.attempted(attempt(ms, 'good'))
    for (const ms of [2000, 2001]) watch.attempted(attempt(ms, 'failed'))
    // Of five attempts in all, three were good; of the last second's, none.
    expect(breaches).toEqual([])
    watch.attempted(attempt(2002, 'failed'))
    expect(breaches).toHaveLength(1)
  })

  test('of response times are about the 95th percentile', async () => {
    const { watch, breaches } = await watchOf('{ responseTime: "> 2s", over: 10s, atLeast: 20 }')
    for (let ms = 0; ms < 39; ms++) watch.attempted(attempt(ms, 'good'))
    // Two of 40 are 5 %, and no more than the percentile leaves out; a third one is.
    for (const ms of [40, 41]) watch.attempted(attempt(ms, 'good', 3000))
    expect(breaches).toEqual([])
    watch.attempted(attempt(42, 'good', 3000))
    expect(breaches).toEqual(['responseTime > 2s: it was 3s in the last 10s'])
  })
})

describe('conditions of the machine', () => {
  test('are about the mean of their time, once that has passed', async () => {
    const { watch, breaches } = await watchOf('{ cpu: "> 90%", over: 3s }, { eventLoopLag: "> 500ms", over: 1s }')
    for (const atMs of [1000, 2000]) watch.sampled({ ...calm, atMs, cpu: 1 })
    expect(breaches).toEqual([])
    watch.sampled({ ...calm, atMs: 3000, cpu: 0.5 })
    expect(breaches).toEqual([]) // 83 % on average
    watch.sampled({ ...calm, atMs: 4000, cpu: 1 })
    watch.sampled({ ...calm, atMs: 5000, cpu: 1, eventLoopLagMs: 600 })
    expect(breaches).toEqual(['eventLoopLag > 500ms: it was 600ms in the last 1s'])
    watch.sampled({ ...calm, atMs: 6000, cpu: 1 })
    expect(breaches[1]).toBe('cpu > 90%: it was 100% in the last 3s')
  })
})

test('the machine is looked at once a second', async () => {
  const beginMs = performance.now()
  const sample = await new Promise<MachineSample>((resolve) => {
    const monitor = new MachineMonitor({
      now: () => performance.now() - beginMs,
      onSample: (taken) => {
        monitor.stop()
        resolve(taken)
      },
    })
  })
  // A timer is not early; how late it is depends on the machine.
  expect(sample.atMs).toBeGreaterThan(990)
  for (const share of [sample.cpu, sample.memory, sample.disk ?? 0]) {
    expect(share).toBeGreaterThanOrEqual(0)
    expect(share).toBeLessThanOrEqual(1)
  }
  // Some memory is in use, or nobody would run this.
  expect(sample.memory).toBeGreaterThan(0)
  expect(sample.eventLoopLagMs).toBeLessThan(1000)
})
