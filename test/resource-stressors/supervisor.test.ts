// Starting, ending and knowing stressors: what holds for all kinds.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ManualClock } from '../../proxy/index.ts'
import { Stressors, type StressorEvent } from '../../resource-stressors/index.ts'
import { childrenOf, cpuMs, isThere, MIB, untilGone } from '../support/stressors.ts'

const stressors = new Stressors()
beforeAll(() => stressors.prepare())
afterAll(() => stressors.close())

const idle = { type: 'cpu', attributes: { load: 1, workers: 1 } } as const
const POLL = { timeout: 10_000, interval: 10 }

test('one that starts, reports and stops is in the log, with what was asked for and what it had', async () => {
  const stressor = await stressors.start({ ...idle, name: 'little' })
  expect(stressor).toMatchObject({ name: 'little', type: 'cpu', state: 'running', requested: { loadPercent: 1 } })
  expect(stressors.list).toEqual([stressor])
  expect(stressors.get(stressor.id)).toBe(stressor)
  const types = (): string[] => stressors.events.entries({ stressor: stressor.id }).map(({ type }) => type)
  await expect.poll(types, POLL).toContain('stressor_report')
  await stressors.stop(stressor.id)
  expect(stressor).toMatchObject({ state: 'stopped', reason: 'request' })
  expect(stressors.list).toEqual([])
  const [started, report, ...others] = stressors.events.entries({ stressor: stressor.id })
  expect(started).toMatchObject({ type: 'stressor_started', name: 'little', stressorType: 'cpu' })
  expect(report).toMatchObject({ type: 'stressor_report', requested: { loadPercent: 1, workers: 1, cpuCores: 0.01 } })
  expect(report!.achieved['loadPercent']).toBeGreaterThan(0)
  expect(others.at(-1)).toMatchObject({ type: 'stressor_stopped', reason: 'request', achieved: { workers: 1 } })
})

test('names are unique among those that are there; ids that are not there are refused', async () => {
  const stressor = await stressors.start({ ...idle, name: 'same' })
  await expect(stressors.start({ ...idle, name: 'same' })).rejects.toMatchObject({ code: 'stressor_exists' })
  await stressor.stop()
  await stressor.stop() // no error
  await (await stressors.start({ ...idle, name: 'same' })).stop()
  await expect(stressors.stop('none')).rejects.toMatchObject({ code: 'stressor_not_found' })
})

test('no more than four threads a core, of all stressors together', async () => {
  const first = await stressors.start(idle)
  const { requested } = await stressors.start({ type: 'cpu', dryRun: true })
  const workers = 4 * requested['workers']!
  await expect(stressors.start({ type: 'cpu', attributes: { workers } })).rejects.toMatchObject({
    code: 'invalid_value',
    message: expect.stringContaining('less 1 that other stressors have'),
  })
  await first.stop()
  expect((await stressors.start({ type: 'cpu', attributes: { workers }, dryRun: true })).state).toBe('planned')
})

test('a time to live ends it, by the clock of the supervisor', async () => {
  const clock = new ManualClock()
  await using timed = new Stressors({ clock })
  const stressor = await timed.start({ ...idle, ttlMs: 10_000 })
  clock.advance(9999)
  expect(stressor.state).toBe('running')
  clock.advance(1)
  expect(await stressor.untilEnd()).toBe('expired')
})

test('the process knows its time to live too', async () => {
  await using timed = new Stressors({ clock: new ManualClock() }) // stands still: the supervisor would never end it
  const stressor = await timed.start({ ...idle, ttlMs: 200 })
  expect(await stressor.untilEnd()).toBe('expired')
  expect(timed.events.entries().at(-1)).toMatchObject({ type: 'stressor_stopped', reason: 'expired' })
})

test('one whose process is killed has died', async () => {
  const stressor = await stressors.start(idle)
  process.kill(stressor.pid!, 'SIGKILL')
  expect(await stressor.untilEnd()).toBe('died')
  expect(stressors.list).toEqual([])
  const last = stressors.events.entries({ stressor: stressor.id }).at(-1)
  expect(last).toMatchObject({ type: 'stressor_stopped', reason: 'died', message: 'its process ended with SIGKILL' })
})

test('the emergency stop ends all within a second, also one that computes on all cores and one that starts', async () => {
  const running = await Promise.all([
    stressors.start({ type: 'cpu', attributes: { load: 100 } }),
    stressors.start({ type: 'memory', attributes: { bytes: 64 * MIB } }),
    stressors.start(idle),
  ])
  const starting = stressors.start(idle).catch((error: unknown) => error)
  const beginMs = performance.now()
  await stressors.stopAll()
  expect(performance.now() - beginMs).toBeLessThan(1000)
  expect(running.map(({ pid }) => isThere(pid!))).toEqual([false, false, false])
  expect(running.map(({ reason }) => reason)).toEqual(['stop', 'stop', 'stop'])
  expect(await starting).toMatchObject({ code: 'stopped' })
  expect(stressors.list).toEqual([])
})

test('one that does not listen any more is ended by force', async () => {
  const stressor = await stressors.start(idle)
  process.kill(stressor.pid!, 'SIGSTOP')
  const beginMs = performance.now()
  await stressors.stopAll()
  // By its own it would take for ever.
  expect(performance.now() - beginMs).toBeLessThan(1000)
  expect(isThere(stressor.pid!)).toBe(false)
  expect(stressor.reason).toBe('stop')
})

test('listeners are told as it happens', async () => {
  const told: StressorEvent[] = []
  const unsubscribe = stressors.events.subscribe((event) => void told.push(event))
  const stressor = await stressors.start(idle)
  await stressor.stop()
  unsubscribe()
  expect(told.map(({ type }) => type)).toEqual(['stressor_started', 'stressor_stopped'])
})

test('a process waits ahead, and computes nothing', async () => {
  await using prepared = new Stressors()
  const before = childrenOf(process.pid)
  await prepared.prepare()
  const waiting = childrenOf(process.pid).find((pid) => !before.includes(pid))
  const beginCpuMs = cpuMs(waiting!)
  const stressor = await stressors.start(idle)
  await stressor.stop()
  // Whatever time that took: asleep, it needs next to nothing.
  expect(cpuMs(waiting!) - beginCpuMs).toBeLessThan(50)
  const taken = await prepared.start(idle)
  expect(taken.pid).toBe(waiting)
})

test('after an emergency stop none waits, not even after a start a moment before', async () => {
  await using stopped = new Stressors()
  const before = childrenOf(process.pid)
  await stopped.start(idle)
  await stopped.stopAll('stop')
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  expect(childrenOf(process.pid).filter((pid) => !before.includes(pid))).toEqual([])
})

test('when it is closed, no process is left and none can be started', async () => {
  const closing = new Stressors()
  const before = childrenOf(process.pid)
  await closing.prepare()
  await closing.start(idle)
  const starting = closing.start(idle).catch((error: unknown) => error)
  const own = childrenOf(process.pid).filter((pid) => !before.includes(pid))
  expect(own.length).toBeGreaterThan(0)
  await closing.close()
  expect(await starting).toMatchObject({ code: 'stopped' })
  await untilGone(own, 0)
  await expect(closing.start(idle)).rejects.toMatchObject({ code: 'stressor_refused' })
})
