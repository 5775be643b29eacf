// What has to stay free stays free, whatever is asked for and whatever others do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { MemoryCgroup } from '../support/memory-cgroup.ts'
import { FakeMachine, isThere, MIB, residentBytes, StressorParent } from '../support/stressors.ts'

const TOTAL = 1024 * MIB
/** Of 1 GiB, 256 MiB are the floor, and 32 MiB more are not taken. */
const FLOOR = 256 * MIB
const KEPT = 288 * MIB

let machine: FakeMachine
let stressors: Stressors
beforeEach(() => {
  machine = FakeMachine.withMemory(TOTAL, KEPT + 96 * MIB)
  stressors = new Stressors({ machineRoot: machine.root })
})
afterEach(async () => {
  await stressors.close()
  machine[Symbol.dispose]()
})

const POLL = { timeout: 10_000, interval: 10 }

/** The process takes memory in truth; how much the machine has left is what the test writes. */
async function startMemory(attributes: Record<string, unknown>): Promise<Stressor> {
  const stressor = await stressors.start({ type: 'memory', attributes, ttlMs: 20_000 })
  return stressor
}

const heldOf = (stressor: Stressor) => (): unknown => stressor.achieved['bytes']

test('below the floor everything is given back, and then it is told', async () => {
  const stressor = await startMemory({ bytes: 64 * MIB })
  await expect.poll(heldOf(stressor), POLL).toBe(64 * MIB)
  let residentWhenTold = Infinity
  stressors.events.subscribe(({ type }) => {
    if (type === 'stressor_stopped') residentWhenTold = isThere(stressor.pid!) ? residentBytes(stressor.pid!) : 0
  })
  const full = residentBytes(stressor.pid!)
  machine.setMemory(TOTAL, FLOOR - MIB)
  expect(await stressor.untilEnd()).toBe('floor')
  expect(full - residentWhenTold).toBeGreaterThan(60 * MIB)
  expect(stressors.events.entries().at(-1)).toMatchObject({
    reason: 'floor',
    message: `only ${FLOOR - MIB} bytes of memory were free, less than the floor of ${FLOOR}`,
  })
})

test('near the floor it gives back as much as is missing, and takes it again when there is more', async () => {
  const stressor = await startMemory({ bytes: 64 * MIB })
  await expect.poll(heldOf(stressor), POLL).toBe(64 * MIB)
  const full = residentBytes(stressor.pid!)
  machine.setMemory(TOTAL, KEPT - 20 * MIB)
  // Each look at this machine, which never changes, takes another 20 MiB.
  await expect.poll(() => full - residentBytes(stressor.pid!), POLL).toBeGreaterThan(16 * MIB)
  expect(stressor.state).toBe('running')
  machine.setMemory(TOTAL, KEPT + 96 * MIB)
  await expect.poll(() => full - residentBytes(stressor.pid!), POLL).toBeLessThan(4 * MIB)
})

test('a step that would go too far is not taken', async () => {
  const stressor = await startMemory({ bytes: 64 * MIB, leakBytesPerSecond: 16 * MIB })
  machine.setMemory(TOTAL, KEPT + MIB) // others have taken the rest: steps are of up to 4 MiB
  await expect.poll(() => reportsOf(stressor).length, POLL).toBe(3)
  const [first, second, third] = reportsOf(stressor).map(({ achieved }) => achieved['bytes']!)
  expect(third).toBe(second)
  expect(third).toBeLessThanOrEqual(first! + 4 * MIB)
  expect(reportsOf(stressor).at(-1)!.requested['bytes']).toBeGreaterThan(third!)
})

function reportsOf(stressor: Stressor) {
  return stressors.events.entries({ stressor: stressor.id }).filter(({ type }) => type === 'stressor_report')
}

test('a floor that the embedder has set holds where it is higher', async () => {
  await using careful = new Stressors({ machineRoot: machine.root, memoryFloorBytes: FLOOR + 64 * MIB })
  const { requested } = await careful.start({ type: 'memory', attributes: { percent: 100 }, dryRun: true })
  expect(requested).toEqual({ bytes: 32 * MIB })
})

// ---- in a real control group -------------------------------------------------------------------------------------

/** The floor, what is kept above it, some 200 MiB for a parent with two children, and some to take. */
const LIMIT = 704 * MIB
/** Asks for all there is. */
const GREEDY = { type: 'memory', attributes: { percent: 100 }, ttlMs: 20_000 }
const probe = MemoryCgroup.make(LIMIT)
await probe?.[Symbol.asyncDispose]()

test.skipIf(!probe)('in a container, asking for everything leaves the floor free', async () => {
  await using group = MemoryCgroup.make(LIMIT)!
  await using parent = new StressorParent([GREEDY], { before: group.enter })
  const [{ requested, notes }] = await parent.said('started')
  expect(notes).toEqual([expect.stringContaining('704 MiB were asked for: capped at')])
  // It has come to its end: as much as is kept is all that is left, but for a step and what is reclaimable.
  await expect.poll(() => group.usedBytes, POLL).toBeGreaterThan(LIMIT - KEPT - 16 * MIB)
  await delay(300) // time to go on
  expect(requested.bytes).toBeGreaterThan(32 * MIB)
  expect(group.peakBytes).toBeLessThan(LIMIT - FLOOR)
})

test.skipIf(!probe)('in a container, whoever needs the memory gets it', async () => {
  await using group = MemoryCgroup.make(LIMIT)!
  await using parent = new StressorParent([GREEDY], { before: group.enter })
  await parent.said('started')
  await expect.poll(() => group.usedBytes, POLL).toBeGreaterThan(LIMIT - KEPT - 16 * MIB)
  // More than is free, all at once: without the floor the kernel would have to kill somebody.
  const bytes = KEPT + 32 * MIB
  const take = `for (const all = []; all.length * ${MIB} < ${bytes}; ) all.push(Buffer.alloc(${MIB}, 1))`
  const other = spawn('/bin/sh', ['-c', `${group.enter} && exec "$0" -e '${take}'`, process.execPath])
  const [code] = await once(other, 'exit')
  expect({ code, killed: group.killed }).toEqual({ code: 0, killed: false })
})
