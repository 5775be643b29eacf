import { readFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { isThere, MIB, residentBytes } from '../support/stressors.ts'

const stressors = new Stressors()
afterAll(() => stressors.close())

const startMemory = (attributes: Record<string, unknown>, rampUpMs = 0): Promise<Stressor> =>
  stressors.start({ type: 'memory', attributes, rampUpMs, ttlMs: 20_000 })

const POLL = { timeout: 10_000, interval: 20 }

test('it takes what was asked for and no more, the kernel counts it, and it is given back', async () => {
  await stressors.prepare()
  const stressor = await startMemory({ bytes: 64 * MIB })
  const pid = stressor.pid!
  await expect.poll(() => stressor.achieved['bytes'], POLL).toBe(64 * MIB)
  // What the process itself grows by meanwhile is some MiB, and is in the kernel's figure alone.
  expect(stressor.achieved['residentBytes']).toBeGreaterThanOrEqual(64 * MIB)
  expect(stressor.achieved['residentBytes']).toBeLessThan(96 * MIB)
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1').trim()).toBe('1000')
  await stressor.stop()
  expect(isThere(pid)).toBe(false)
})

test('a leak grows all the time, and what it holds is given back after its time', async () => {
  const stressor = await startMemory({ bytes: 128 * MIB, leakBytesPerSecond: 128 * MIB, holdMs: 300 })
  const pid = stressor.pid!
  const sizes: number[] = []
  const size = (): number => {
    sizes.push(residentBytes(pid) / MIB)
    return sizes.at(-1)!
  }
  const heights = (): number => new Set([...sizes, size()].map((size) => Math.floor(size / 16))).size
  // All at once, it would be seen at two heights. In a second, samples every 20 ms see it at more, also on a busy machine.
  await expect.poll(heights, POLL).toBeGreaterThan(4)
  await expect.poll(() => Math.max(...sizes) - size(), POLL).toBeGreaterThan(64) // given back
  const lowest = size()
  await expect.poll(() => size() - lowest, POLL).toBeGreaterThan(64) // and taken anew
  await stressor.stop()
})

test('a ramp takes its time', async () => {
  const stressor = await startMemory({ bytes: 400 * MIB }, 20_000)
  await expect.poll(() => stressor.achieved['bytes'], POLL).toBeGreaterThan(0)
  // After the first report, a second of twenty: far from all, even if the report is late.
  expect(stressor.achieved['bytes']).toBeLessThan(100 * MIB)
  expect(stressor.requested).toEqual({ bytes: 400 * MIB })
  await stressor.stop()
})

const GIB = 1024 * MIB
const ROOMY = Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1024 > 14 * GIB

test.runIf(process.env['FAULTLINE_LONG'] && ROOMY)(
  '10 GiB are given back within a second of an emergency stop',
  async () => {
    const stressor = await stressors.start({ type: 'memory', attributes: { bytes: 10 * GIB }, ttlMs: 120_000 })
    await expect.poll(() => stressor.achieved['bytes'], { timeout: 100_000, interval: 100 }).toBe(10 * GIB)
    const pid = stressor.pid!
    const beginMs = performance.now()
    await stressors.stopAll()
    expect(performance.now() - beginMs).toBeLessThan(1000)
    expect(isThere(pid)).toBe(false)
  },
  120_000,
)
