import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { Stressors } from '../../resource-stressors/index.ts'
import { cpuMs } from '../support/stressors.ts'

const stressors = new Stressors()
afterAll(() => stressors.close())

/** Percent of a core that a process has for so long. */
async function loadOf(pid: number, forMs: number): Promise<number> {
  const [beginMs, before] = [performance.now(), cpuMs(pid)]
  await delay(forMs) // what is measured, not synchronisation
  return ((cpuMs(pid) - before) / (performance.now() - beginMs)) * 100
}

test('it has the share of a core that was asked for', async () => {
  const { pid, stop } = await startCpu({ load: 25, workers: 1 })
  // A second has 20 slices; each may come out a slice early or late: 5 points. On a busy machine it gets less.
  const load = await loadOf(pid, 1000)
  await stop()
  expect(load).toBeGreaterThan(10)
  expect(load).toBeLessThan(31)
})

test('a ramp is below its height until its time is up, and reports say what it is after', async () => {
  const { stressor, pid, stop } = await startCpu({ load: 50, workers: 1 }, 10_000)
  // In the first 600 ms of 10 s it asks for 3 % at most; with the child's own work and a slice, far from 50.
  expect(await loadOf(pid, 600)).toBeLessThan(20)
  await expect.poll(() => reports(stressor.id).length, { timeout: 5000 }).toBeGreaterThan(0)
  await stop()
  const [first] = reports(stressor.id)
  // After about one second of ten.
  expect(first!.requested['loadPercent']).toBeGreaterThan(2)
  expect(first!.requested['loadPercent']).toBeLessThan(15)
  expect(first!.achieved['loadPercent']).toBeLessThan(25)
})

test('what it says at its end is of a time that is long enough to say something', async () => {
  const { stressor, stop } = await startCpu({ load: 20, workers: 1 })
  await expect.poll(() => reports(stressor.id).length, { interval: 1, timeout: 5000 }).toBeGreaterThan(0)
  const { loadPercent } = stressor.achieved
  await stop()
  // Of the few milliseconds since then it could only say all or nothing.
  expect(stressor.achieved).toMatchObject({ loadPercent, cpuCores: loadPercent! / 100 })
})

test('workers are bound to the cores that were named', async () => {
  const { pid, stop } = await startCpu({ load: 1, workers: 2, cores: [0] })
  const allowed = readdirSync(`/proc/${pid}/task`).map(
    (task) => readFileSync(`/proc/${pid}/task/${task}/status`, 'latin1').match(/Cpus_allowed_list:\s*(\S+)/)?.[1],
  )
  await stop()
  expect(allowed.filter((cores) => cores === '0')).toHaveLength(2)
})

function reports(id: string) {
  return stressors.events.entries({ stressor: id }).filter(({ type }) => type === 'stressor_report')
}

async function startCpu(attributes: Record<string, unknown>, rampUpMs = 0) {
  const stressor = await stressors.start({ type: 'cpu', attributes, rampUpMs, ttlMs: 20_000 })
  return { stressor, pid: stressor.pid!, stop: () => stressor.stop() }
}
