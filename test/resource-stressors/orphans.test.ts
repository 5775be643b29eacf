// A parent that dies, in whatever way, leaves no stressor behind.
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { findProgram } from '../../resource-stressors/machine/programs.ts'
import { childrenOf, cpuMs, isThere, MIB, residentBytes, StressorParent, untilGone } from '../support/stressors.ts'

/** Computes without a pause, as long as the test needs. */
const busy = { type: 'cpu', attributes: { load: 100, workers: 1 }, ttlMs: 20_000 }
const holding = { type: 'memory', attributes: { bytes: 64 * MIB }, ttlMs: 20_000 }

/** Starts stressors, checks that they act, and returns all processes of the parent, also the one that waits. */
async function act(parent: StressorParent): Promise<number[]> {
  const [cpu, memory] = (await parent.said('started')) as { pid: number }[]
  const before = cpuMs(cpu!.pid)
  await expect.poll(() => cpuMs(cpu!.pid) - before, { timeout: 5000 }).toBeGreaterThan(50)
  await expect.poll(() => residentBytes(memory!.pid), { timeout: 5000 }).toBeGreaterThan(64 * MIB)
  const all = childrenOf(parent.pid)
  expect(all).toHaveLength(3)
  return all
}

test.skipIf(!findProgram('setpriv'))('killed: the kernel ends its stressors, even if they can do nothing', async () => {
  await using parent = new StressorParent([busy, holding])
  const children = await act(parent)
  for (const pid of children) process.kill(pid, 'SIGSTOP')
  parent.child.kill('SIGKILL')
  await untilGone(children, 2000)
})

test('killed, and there is no setpriv: they notice by themselves', async () => {
  await using parent = new StressorParent([busy, holding], { path: '/nonexistent' })
  const children = await act(parent)
  parent.child.kill('SIGKILL')
  // The one that waits has no lease: it can only have seen that nobody is at the other end any more.
  await untilGone(children, 2000)
})

test('stopped, so that it neither dies nor speaks: their lease ends', async () => {
  await using parent = new StressorParent([busy, holding])
  const children = await act(parent)
  parent.child.kill('SIGSTOP')
  const acting = children.slice(0, 2)
  await delay(300) // not at once: a pause that short is no death
  expect(acting.filter(isThere)).toEqual(acting)
  await untilGone(acting, 2000)
})

test('interrupted at the terminal, together with its stressors: it is the parent that ends them', async () => {
  await using parent = new StressorParent([busy, holding])
  const children = await act(parent)
  for (const pid of children) process.kill(pid, 'SIGINT')
  await delay(100) // time to do the wrong thing
  expect(children.filter(isThere)).toEqual(children)
  parent.child.kill('SIGINT')
  await untilGone(children, 2000)
})
