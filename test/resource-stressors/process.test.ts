// Processes that die, hang or get slow; that they go on, whoever is killed; and those that are refused.
import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { childrenOf, FakeMachine, isThere, MIB, StressorParent, untilGone } from '../support/stressors.ts'
import { TargetProcess } from '../support/target-process.ts'

const stressors = new Stressors()
afterAll(() => stressors.close())

/** How soon one that was stopped has to go on. */
const SOON = { timeout: 2000, interval: 5 }
const POLL = { timeout: 10_000, interval: 10 }

function startOn(attributes: Record<string, unknown>, ttlMs = 20_000): Promise<Stressor> {
  return stressors.start({ type: 'process', attributes, ttlMs })
}

function dryRun(attributes: Record<string, unknown>, on = stressors): Promise<Stressor> {
  return on.start({ type: 'process', attributes: { action: 'kill', ...attributes }, dryRun: true })
}

/** How one looks in a list, without the end. */
function shown({ pid, child }: TargetProcess): string {
  return `${pid} (${child.spawnargs[0]} 60`
}

/** No process of this machine has such a name. */
function uniqueName(): string {
  return `target-${randomUUID().slice(0, 18)}`
}

test('one that hangs is stopped, which is reported, and goes on at the end', async () => {
  await using target = new TargetProcess()
  const stressor = await startOn({ pid: target.pid, action: 'hang' })
  await expect.poll(() => target.isStopped, POLL).toBe(true) // as soon as it gets to run, and so to its signal
  expect(stressor.requested).toEqual({ processes: 1, stoppedPercent: 100 })
  await expect.poll(() => stressor.achieved, POLL).toEqual({ processes: 1, stoppedPercent: 100 })
  const guards = childrenOf(stressor.pid!)
  expect(guards).toHaveLength(1)
  await stressor.stop()
  expect(target.isStopped).toBe(false)
  await untilGone(guards, 0)
})

test('at the end of its time, and by the emergency stop, it goes on', async () => {
  await using first = new TargetProcess()
  await using second = new TargetProcess()
  const timed = await startOn({ pid: first.pid, action: 'hang' }, 300)
  await startOn({ pid: second.pid, action: 'slow', share: 0.9, periodMs: 60_000 })
  expect(await timed.untilEnd()).toBe('expired')
  expect(first.isStopped).toBe(false)
  await expect.poll(() => second.isStopped, POLL).toBe(true)
  await stressors.stopAll()
  expect(second.isStopped).toBe(false)
})

test('a slow one is stopped for its share of the time, and that is what is reported', async () => {
  await using target = new TargetProcess()
  const stressor = await startOn({ pid: target.pid, action: 'slow', share: 0.7, periodMs: 100 })
  // Ten periods, cut off at both ends: at most 0.1 by that. On a busy machine looks and timers come late, too.
  const share = await target.stoppedShare(1000)
  expect(share).toBeGreaterThan(0.5)
  expect(share).toBeLessThan(0.9)
  await expect.poll(() => Object.keys(stressor.achieved), POLL).toContain('stoppedPercent')
  // Late timers are made up for, but for the last period: 10 of the second.
  expect(stressor.achieved['stoppedPercent']).toBeGreaterThan(55)
  expect(stressor.achieved['stoppedPercent']).toBeLessThan(85)
  target.child.kill('SIGKILL')
  expect(await stressor.untilEnd()).toBe('done') // nothing is left to be slow
})

test('one that is killed or terminated ends by that signal, and so does the stressor', async () => {
  await using killed = new TargetProcess()
  await using terminated = new TargetProcess()
  const kill = await startOn({ pid: killed.pid, action: 'kill' })
  const terminate = await startOn({ pid: terminated.pid, action: 'terminate' })
  expect(await Promise.all([killed.signal(), terminated.signal()])).toEqual(['SIGKILL', 'SIGTERM'])
  expect(await Promise.all([kill.untilEnd(), terminate.untilEnd()])).toEqual(['done', 'done'])
  const last = stressors.events.entries({ stressor: kill.id }).at(-1)
  expect(last).toMatchObject({ reason: 'done', message: 'the process has ended', achieved: { processes: 1 } })
})

test('a dry run names those that match, and touches none', async () => {
  const name = uniqueName()
  await using first = new TargetProcess(`/opt/${name}-1`)
  await using second = new TargetProcess(`/opt/${name}-2`)
  const attributes = { command: `${name}-*`, action: 'kill', maxMatches: 2 }
  const { requested, notes } = await dryRun(attributes)
  expect(requested).toEqual({ processes: 2 })
  const [low, high] = [first, second].sort((one, other) => one.pid - other.pid)
  expect(notes[0]).toContain(shown(low!))
  expect(notes[0]).toContain(shown(high!))
  expect([isThere(first.pid), isThere(second.pid)]).toEqual([true, true])
  await expect(startOn({ ...attributes, maxMatches: 1 })).rejects.toMatchObject({
    code: 'invalid_value',
    field: 'attributes.maxMatches',
    message: expect.stringMatching(new RegExp(`expected at least 2, as so many match: .*${high!.pid}.*, got 1$`)),
  })
  expect([isThere(first.pid), isThere(second.pid)]).toEqual([true, true])
})

test('patterns choose by program and by arguments, and both have to match', async () => {
  const name = uniqueName()
  await using target = new TargetProcess(name)
  const found = { notes: [`kill: ${shown(target)})`] }
  expect(await dryRun({ command: name })).toMatchObject(found)
  expect(await dryRun({ commandLine: `/^${name} [0-9]+$/` })).toMatchObject(found)
  expect(await dryRun({ command: 'sleep', commandLine: name })).toMatchObject(found)
  await expect(dryRun({ command: 'nginx', commandLine: name })).rejects.toMatchObject({ field: 'attributes.command' })
})

// ---- whoever dies ------------------------------------------------------------------------------------------------

const HANG = { action: 'hang' }
const SLOW = { action: 'slow', share: 0.9, periodMs: 50 }

/** A parent of its own that has started two. */
async function acting(first: TargetProcess, second: TargetProcess, onSecond = HANG) {
  const attributes = [
    { pid: first.pid, ...HANG },
    { pid: second.pid, ...onSecond },
  ]
  const parent = new StressorParent(attributes.map((each) => ({ type: 'process', attributes: each, ttlMs: 20_000 })))
  const pids = ((await parent.said('started')) as { pid: number }[]).map(({ pid }) => pid)
  for (const target of [first, second]) await expect.poll(() => target.isStopped, POLL).toBe(true)
  return { parent, pids, guards: pids.flatMap(childrenOf) }
}

test('the parent is killed: one that hangs and one that is slow go on', async () => {
  await using hung = new TargetProcess()
  await using slow = new TargetProcess()
  const { parent, pids, guards } = await acting(hung, slow, SLOW)
  await using _parent = parent
  parent.child.kill('SIGKILL')
  await untilGone([...pids, ...guards], 2000)
  expect([hung.isStopped, slow.isStopped]).toEqual([false, false])
})

test('together with the parent, one process of a stressor is killed and one made unable to act: guards are still there', async () => {
  await using first = new TargetProcess()
  await using second = new TargetProcess()
  const { parent, pids, guards } = await acting(first, second)
  await using _parent = parent
  for (const pid of pids) process.kill(pid, 'SIGSTOP') // so that they can do nothing between the signals
  parent.child.kill('SIGKILL')
  process.kill(pids[0]!, 'SIGKILL')
  await expect.poll(() => first.isStopped, SOON).toBe(false)
  // A second without a word from the other, and some time to look.
  await untilGone([...pids, ...guards], 2000)
  expect(second.isStopped).toBe(false)
})

test('the guard is killed: the stressor ends rather than go on without', async () => {
  await using target = new TargetProcess()
  const stressor = await startOn({ pid: target.pid, action: 'hang' })
  process.kill(childrenOf(stressor.pid!)[0]!, 'SIGKILL')
  expect(await stressor.untilEnd()).toBe('died')
  expect(target.isStopped).toBe(false)
  const last = stressors.events.entries({ stressor: stressor.id }).at(-1)
  expect(last).toMatchObject({ message: 'its guard process ended with SIGKILL' })
})

// ---- what is refused, and that nothing happens to it -------------------------------------------------------------

test.each<[Record<string, unknown>, string, string]>([
  [{ pid: process.pid, action: 'stop' }, 'attributes.action', 'expected "kill" or "terminate"'],
  [{}, 'attributes.pid', 'expected pid, command or commandLine, got nothing'],
  // To kill(2), these are groups of processes, or all there are.
  [{ pid: 0 }, 'attributes.pid', 'expected an integer from 1 to 4194304, got 0'],
  [{ pid: -1 }, 'attributes.pid', 'expected an integer from 1 to 4194304, got -1'],
  [{ pid: 1 }, 'attributes.pid', 'this is the first process, on which all others depend, got 1'],
  [{ pid: process.pid, action: 'hang' }, 'attributes.pid', 'this is the process that would have to end it again'],
  [{ pid: process.ppid, action: 'hang' }, 'attributes.pid', 'this is an ancestor of the process that would have to'],
  [{ pid: 4_194_304 }, 'attributes.pid', 'expected the number of a process that is there, got 4194304'],
  [{ pid: process.pid, command: 'x' }, 'attributes.command', 'expected nothing beside pid'],
  [{ command: 'no-such-program' }, 'attributes.command', 'expected what a process has that is there'],
  [{ command: '/(/' }, 'attributes.command', 'expected a regular expression in RE2 syntax'],
  [{ command: 'x', maxMatches: 0 }, 'attributes.maxMatches', 'expected an integer from 1 to 1000'],
  [{ pid: process.pid, share: 0.5, action: 'hang' }, 'attributes.share', 'expected nothing beside the action hang'],
  [{ pid: process.pid, periodMs: 50 }, 'attributes.periodMs', 'expected nothing beside the action kill'],
  [{ pid: process.pid, share: 1, action: 'slow' }, 'attributes.share', 'expected a number from 0.01 to 0.99, got 1'],
  [{ pid: process.pid, periodMs: 19, action: 'slow' }, 'attributes.periodMs', 'expected an integer from 20 to 60000'],
])('%j is refused by the name of the field', async (attributes, field, message) => {
  await expect(dryRun(attributes)).rejects.toMatchObject({ field, message: expect.stringContaining(message) })
})

test('there is no ramp for what is all or nothing', async () => {
  const start = stressors.start({ type: 'process', attributes: { pid: process.pid, action: 'hang' }, rampUpMs: 10 })
  await expect(start).rejects.toMatchObject({
    field: 'rampUpMs',
    message: expect.stringContaining('0 with the action'),
  })
})

test('one that somebody else has stopped is theirs', async () => {
  await using target = new TargetProcess()
  target.child.kill('SIGSTOP')
  await expect.poll(() => target.isStopped).toBe(true)
  await expect(dryRun({ pid: target.pid, action: 'hang' })).rejects.toMatchObject({
    field: 'attributes.pid',
    message: `attributes.pid: expected processes that nobody has stopped, unlike ${target.pid} (sleep 60), got ${target.pid}`,
  })
  expect(await dryRun({ pid: target.pid })).toMatchObject({ requested: { processes: 1 } })
})

test.skipIf(process.getuid?.() !== 0)('one of another user is refused before anything is signalled', async () => {
  await using target = new TargetProcess('sleep', 65_534)
  process.seteuid?.(65_533)
  try {
    // The check asks the kernel, in the same turn as this call.
    const start = dryRun({ pid: target.pid })
    process.seteuid?.(0)
    await expect(start).rejects.toMatchObject({
      field: 'attributes.pid',
      message: expect.stringContaining('this is of a user whose processes this one may send no signals'),
    })
  } finally {
    process.seteuid?.(0)
  }
})

// ---- on a machine of files ---------------------------------------------------------------------------------------

const KERNEL_THREAD = 0x0020_0000
const machine = FakeMachine.withMemory(1024 * MIB, 1024 * MIB)
afterAll(() => machine[Symbol.dispose]())
const faked = new Stressors({ machineRoot: machine.root })

interface Fake {
  readonly parent?: number
  readonly flags?: number
  readonly state?: string
  readonly group?: number
}

/** Numbers are too high for real processes. */
function fake(
  pid: number,
  name: string,
  args: readonly string[],
  { parent = 1, flags = 0, state = 'S', group = pid }: Fake = {},
) {
  const rest = [parent, pid, pid, 0, -1, flags, ...Array.from({ length: 12 }, () => 0), 5000 + pid, 0].join(' ')
  machine.write(`proc/${pid}/stat`, `${pid} (${name}) ${state} ${rest}\n`)
  machine.write(`proc/${pid}/cmdline`, args.map((part) => `${part}\0`).join(''))
  machine.write(`proc/${pid}/status`, `Name:\t${name}\nTgid:\t${group}\n`)
}

const KERNEL = 9_000_001
const THREAD = 9_000_002
const STRESSOR = 9_000_003
const WAITING = 9_000_004
const GUARD = 9_000_005
const ZOMBIE = 9_000_006
const GRANDPARENT = 9_000_007
const PARENT = 9_000_008
const ODD = 9_000_009
const LONG = 9_000_010
fake(KERNEL, 'kworker/0:1', [], { parent: 2, flags: KERNEL_THREAD })
fake(THREAD, 'node', ['node'], { group: 9_000_100 })
fake(STRESSOR, 'node', ['faultline stressor: cpu'])
fake(WAITING, 'node', ['/usr/bin/node', '/app/node_modules/faultline/dist/esm/resource-stressors/child/main.js', '7'])
fake(GUARD, 'node', ['/usr/bin/node', '/app/dist/cjs/resource-stressors/guard/main.js', '{}'])
fake(ZOMBIE, 'zombie', [], { state: 'Z' })
fake(GRANDPARENT, 'init', ['/sbin/init'])
fake(PARENT, 'sh', ['sh', '-c', 'node'], { parent: GRANDPARENT })
fake(process.pid, 'node', ['node'], { parent: PARENT })
fake(ODD, 'a) R (b c', ['/srv/größe/dienst ü', '--mode', 'x'])
fake(LONG, 'a-very-long-nam', ['/usr/sbin/a-very-long-name-of-a-service'])

test.each([
  [KERNEL, 'kworker/0:1', 'a thread of the kernel'],
  [THREAD, 'node', 'a thread of process 9000100'],
  [STRESSOR, 'node', 'a process of a stressor'],
  [WAITING, 'node', 'a process of a stressor'],
  [GUARD, 'node', 'a process of a stressor'],
  [GRANDPARENT, 'init', 'an ancestor of the process that would have to end it again'],
])('%i (%s) must not be touched: %s', async (pid, command, reason) => {
  await expect(dryRun({ command }, faked)).rejects.toMatchObject({
    message: expect.stringMatching(new RegExp(`${pid} \\([^)]*\\) is ${reason}`)),
  })
})

test('what must not be touched is left out of what a pattern matches, and said', async () => {
  fake(9_000_011, 'node', ['node', 'server.js'])
  const { notes } = await dryRun({ command: 'node', action: 'hang' }, faked)
  expect(notes[0]).toBe('hang: 9000011 (node server.js)')
  expect(notes[1]).toContain(`${STRESSOR} (faultline stressor: cpu) is a process of a stressor`)
  expect(notes[1]).toContain(`${process.pid} (node) is the process that would have to end it again`)
})

test('names may contain anything, and be longer than the kernel keeps them', async () => {
  const odd = [`kill: ${ODD} (/srv/größe/dienst ü --mode x)`]
  expect(await notesOf({ command: 'a) R (b c' })).toEqual(odd)
  expect(await notesOf({ command: 'dienst ü' })).toEqual(odd)
  expect(await notesOf({ commandLine: '--mode x' })).toEqual(odd)
  expect(await notesOf({ command: 'a-very-long-name-of-a-service' })).toEqual([
    `kill: ${LONG} (/usr/sbin/a-very-long-name-of-a-service)`,
  ])
  await expect(notesOf({ command: 'zombie' })).rejects.toMatchObject({ field: 'attributes.command' })
})

async function notesOf(attributes: Record<string, unknown>): Promise<readonly string[]> {
  const { notes } = await dryRun(attributes, faked)
  return notes
}
