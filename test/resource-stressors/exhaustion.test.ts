// Connections, open files, processes and pages of files that are used up, as servers and the kernel see them. Each stressor
// is a process with threads that has to be started: few tests start one, and look at much of it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import { fileSystemAt } from '../../resource-stressors/disk/file-system.ts'
import { Stressors, type Stressor, type StressorSpec } from '../../resource-stressors/index.ts'
import { isLimited, openFileSupply } from '../../resource-stressors/machine/open-files.ts'
import { findProgram } from '../../resource-stressors/machine/programs.ts'
import { MemoryCgroup } from '../support/memory-cgroup.ts'
import { PidsCgroup } from '../support/pids-cgroup.ts'
import { freePort, RawServer } from '../support/sockets.ts'
import { childrenOf, cpuMs, FakeMachine, isThere, MIB, StressorParent, untilGone } from '../support/stressors.ts'

const stressors = new Stressors()
afterEach(() => stressors.stopAll())
afterAll(() => stressors.close())

const POLL = { timeout: 10_000, interval: 20 }
/** For looks that take a program. */
const SLOW_POLL = { timeout: 10_000, interval: 100 }
const LONG = Boolean(process.env['FAULTLINE_LONG'])

interface Start {
  readonly of?: Stressors
  readonly rampUpMs?: number
}

function start(
  type: StressorSpec['type'],
  attributes: Record<string, unknown>,
  { of = stressors, rampUpMs = 0 }: Start = {},
): Promise<Stressor> {
  return of.start({ type, attributes, rampUpMs, ttlMs: 20_000 })
}

// ---- connections -------------------------------------------------------------------------------------------------

async function untilOpen(server: RawServer, count: number): Promise<void> {
  await expect.poll(() => server.sockets.filter(({ ending }) => ending === 'open').length, POLL).toBe(count)
}

test('connections are open and say nothing; what the server ends is opened again; in the end all are reset', async () => {
  await using server = await RawServer.start()
  const stressor = await start('connections', { target: server.address, count: 200 })
  await untilOpen(server, 200)
  const ended = server.sockets.slice(0, 8)
  for (const socket of ended.slice(0, 4)) socket.reset()
  for (const socket of ended.slice(4)) socket.end('there is no room\r\n') // to be read, else the FIN is not seen
  await expect.poll(() => server.sockets.length, POLL).toBe(208)
  const achieved = { connections: 200, opening: 0, refused: 0, ended: 8 }
  await expect.poll(() => stressor.achieved, POLL).toMatchObject(achieved)
  await stressor.stop()
  const left = server.sockets.slice(8)
  expect(await Promise.all(left.map((socket) => socket.untilEnded()))).toEqual(Array<string>(200).fill('ECONNRESET'))
  expect(server.sockets.every(({ receivedBytes }) => receivedBytes === 0)).toBe(true)
})

test('connections that are refused are counted, and made when somebody is there, at any address of the name', async () => {
  const port = await freePort()
  const stressor = await start('connections', { target: `localhost:${port}`, count: 5 })
  await expect.poll(() => stressor.achieved['refused'], POLL).toBeGreaterThanOrEqual(5)
  expect(stressor).toMatchObject({ state: 'running', achieved: { connections: 0 } })
  const accepted = new Set<net.Socket>()
  const server = net.createServer((socket) => accepted.add(socket.on('error', () => undefined)))
  server.listen(port, '127.0.0.1') // localhost may be ::1 first
  await expect.poll(() => accepted.size, POLL).toBe(5)
  await stressor.stop()
  server.close()
})

test('a server that ends all connections is not asked without end', async () => {
  await using server = await RawServer.start(({ socket }) => socket.destroy())
  const stressor = await start('connections', { target: server.address, count: 50, maxOpening: 5 })
  await expect.poll(() => stressor.achieved['ended'], POLL).toBeGreaterThan(50)
  // 50 at once, then 5 at each of ten ticks before the first report. Unbounded, it comes to thousands.
  expect(stressor.achieved['ended']).toBeLessThanOrEqual(50 + 5 * 11)
})

test.runIf(LONG)('connections are made at a rate, and ended with FIN', async () => {
  await using server = await RawServer.start()
  const attributes = { target: server.address, count: 200, perSecond: 30, endWith: 'FIN' }
  const stressor = await start('connections', attributes)
  await expect.poll(() => stressor.achieved['connections'], POLL).toBeGreaterThan(20)
  // The first report is after a second, or later on a busy machine, where it may have had another half of a second.
  expect(stressor.achieved['connections']).toBeLessThan(46)
  await stressor.stop()
  const endings = await Promise.all(server.sockets.map((socket) => socket.untilEnded()))
  expect(new Set(endings)).toEqual(new Set(['FIN']))
})

test.runIf(LONG)('without reopen, each connection is tried once', async () => {
  await using server = await RawServer.start(({ socket }) => socket.destroy())
  const stressor = await start('connections', { target: server.address, count: 10, reopen: false })
  await expect.poll(() => stressor.achieved['ended'], POLL).toBe(10)
  // By then ten ticks have had the chance to open more.
  expect(server.sockets).toHaveLength(10)
  expect(stressor.achieved['connections']).toBe(0)
})

test.runIf(LONG)('a name without an address is no stressor', async () => {
  await expect(start('connections', { target: 'no-such-host.invalid:80', count: 1 })).rejects.toMatchObject({
    code: 'stressor_failed',
    message: expect.stringContaining('no-such-host.invalid'),
  })
})

// ---- open files --------------------------------------------------------------------------------------------------

/** Files that its processes have open, by the kernel's own list, beside those of their own. */
function openFiles({ pid }: Stressor): number {
  return childrenOf(pid!).reduce((sum, holder) => sum + readdirSync(`/proc/${holder}/fd`).length, 0)
}
/** At most, of a Node process that does nothing. */
const OWN_FILES = 40

/** A machine of 100,000 open files, and 150 for each process. */
function machineWithFiles(): FakeMachine & { setOpen(count: number): void } {
  const machine = FakeMachine.withMemory(2 ** 34, 2 ** 34)
  machine.write('proc/self/limits', 'Max open files            100                 406                 files\n')
  const setOpen = (count: number): void => machine.write('proc/sys/fs/file-nr', `${count}\t0\t100000\n`)
  return Object.assign(machine, { setOpen })
}

test('open files are held by several processes; near the floor some are closed, and below it all', async () => {
  using machine = machineWithFiles()
  machine.setOpen(93_600) // 5000 are the floor, and 1000 more are not taken: 400 are left
  await using careful = new Stressors({ machineRoot: machine.root })
  const stressor = await start('file-descriptors', { count: 9000 }, { of: careful })
  expect(stressor.notes).toEqual([
    '9000 were asked for: capped at 400, as 6000 of 100000 open files (fs.file-max) have to stay free',
  ])
  await expect.poll(() => stressor.achieved, POLL).toEqual({ files: 400, freeFiles: 6400, refused: 0 })
  const holders = childrenOf(stressor.pid!)
  expect(holders).toHaveLength(3)
  expect(openFiles(stressor)).toBeGreaterThan(400)
  expect(openFiles(stressor)).toBeLessThan(400 + 3 * OWN_FILES)
  machine.setOpen(94_100) // each look at this machine, which never changes, takes another 100 of them
  await expect.poll(() => openFiles(stressor), POLL).toBeLessThanOrEqual(100 + 3 * OWN_FILES)
  expect(stressor.state).toBe('running')
  machine.setOpen(95_001)
  expect(await stressor.untilEnd()).toBe('floor')
  expect(careful.events.entries().at(-1)!.message).toBe(
    'only 4999 of 100000 open files (fs.file-max) were free, less than the floor of 5000',
  )
  await untilGone(holders, 0)
})

test.runIf(LONG)('one that held open files is killed, as if for want of memory: it has died', async () => {
  using machine = machineWithFiles()
  machine.setOpen(1000)
  await using small = new Stressors({ machineRoot: machine.root })
  const stressor = await start('file-descriptors', { count: 400 }, { of: small, rampUpMs: 5000 })
  await expect.poll(() => stressor.achieved['files'], POLL).toBeGreaterThan(0)
  expect(stressor.achieved['files']).toBeLessThan(200) // a second of five
  process.kill(childrenOf(stressor.pid!)[0]!, 'SIGKILL')
  expect(await stressor.untilEnd()).toBe('died')
  expect(small.events.entries().at(-1)!.message).toContain('a process that held open files ended with SIGKILL')
})

const table = openFileSupply('/')
test.runIf(LONG && table && isLimited(table))('so many files are held that the rest is free', async () => {
  const { limit, used } = openFileSupply('/')!
  const leaveFree = limit - used - 500
  const stressor = await start('file-descriptors', { leaveFree })
  const free = (): number => limit - openFileSupply('/')!.used
  // Others open and close some all the time: by tens, while 500 are what this is about.
  await expect.poll(() => Math.abs(free() - leaveFree), POLL).toBeLessThan(60)
  expect(openFiles(stressor)).toBeGreaterThan(200)
})

// ---- processes ---------------------------------------------------------------------------------------------------

/** The shell and its copies. */
function processesOf(pid: number): number[] {
  return childrenOf(pid).flatMap((shell) => [shell, ...childrenOf(shell)])
}

test('processes are there and asleep; near the floor some are ended, and below it all', async () => {
  using machine = FakeMachine.withMemory(2 ** 34, 2 ** 34)
  const setTasks = (count: number): void => machine.write('proc/loadavg', `0.1 0.1 0.1 2/${count} 4711\n`)
  machine.write('proc/sys/kernel/pid_max', '10000\n')
  setTasks(9350) // 500 are the floor, and 100 more are not taken: 50 are left
  await using careful = new Stressors({ machineRoot: machine.root })
  const stressor = await start('processes', { count: 1000 }, { of: careful })
  const pid = stressor.pid!
  expect(stressor.notes).toEqual([
    '1000 were asked for: capped at 50, as 600 of 10000 processes and threads (kernel.pid_max) have to stay free',
  ])
  await expect.poll(() => processesOf(pid).length, POLL).toBe(50)
  const pids = processesOf(pid)
  const usedMs = (): number => pids.reduce((sum, one) => sum + cpuMs(one), 0)
  const before = usedMs()
  await expect.poll(() => stressor.achieved, POLL).toEqual({ processes: 50, freeProcesses: 650 })
  // Some tenths of a second later: 50 that computed would have had all cores.
  expect(usedMs() - before).toBeLessThan(50)
  setTasks(9415) // each look at this machine, which never changes, ends another 15 of them, and no more
  const counts = new Set<number>()
  const lookAgain = (): number => {
    const count = processesOf(pid).length
    counts.add(count)
    return count
  }
  await expect.poll(lookAgain, { ...POLL, interval: 5 }).toBeLessThanOrEqual(5)
  expect([...counts].some((count) => count > 5 && count < 50)).toBe(true)
  expect(stressor.state).toBe('running')
  setTasks(9501)
  expect(await stressor.untilEnd()).toBe('floor')
  expect(careful.events.entries().at(-1)!.message).toBe(
    'only 499 of 10000 processes and threads (kernel.pid_max) were free, less than the floor of 500',
  )
  await untilGone(pids, 0)
})

test.runIf(LONG)('the shell of the processes is killed: the stressor has died, and they are gone', async () => {
  const stressor = await start('processes', { count: 50 }, { rampUpMs: 5000 })
  await expect.poll(() => stressor.achieved['processes'], POLL).toBeGreaterThan(1)
  expect(stressor.achieved['processes']).toBeLessThan(25) // a second of five
  const pids = processesOf(stressor.pid!)
  process.kill(pids[0]!, 'SIGKILL')
  expect(await stressor.untilEnd()).toBe('died')
  expect(stressors.events.entries().at(-1)!.message).toContain('the shell with the processes: it ended with SIGKILL')
  await untilGone(pids, 1000)
})

const group = LONG ? PidsCgroup.make(600) : undefined
afterAll(() => group?.remove())

test.runIf(group)('in a container, its limit of processes counts', async () => {
  const spec = { type: 'processes', attributes: { leaveFree: 500 }, ttlMs: 20_000 }
  await using parent = new StressorParent([spec], { before: group!.enter })
  const [{ pid, requested }] = await parent.said('started')
  expect(requested).toEqual({ freeProcesses: 500 })
  await expect.poll(() => group!.used, POLL).toBe(100)
  // The parent, two children, and their threads are some 40 to 60 of the hundred.
  expect(processesOf(pid).length).toBeGreaterThan(10)
  await delay(300) // time to go on
  expect(group!.used).toBeLessThanOrEqual(100)
  parent.child.kill('SIGKILL')
  await expect.poll(() => group!.used, POLL).toBe(0)
})

// ---- pages of files ----------------------------------------------------------------------------------------------

const FOLDER = mkdtempSync('/var/tmp/faultline-page-cache-')
const SOURCE = mkdtempSync('/var/tmp/faultline-source-')
afterAll(() => [FOLDER, SOURCE].forEach((folder) => rmSync(folder, { recursive: true })))
/** Without both, a test could see nothing. */
const canSee = findProgram('fincore') !== undefined && !fileSystemAt(FOLDER).inMemory

/** By the kernel's count, apart from that of the stressor. */
function cachedBytes(path: string): number {
  return Number(execFileSync('fincore', ['-b', '-n', '-o', 'RES', path], { encoding: 'latin1' }))
}

/** Has the kernel drop a file's pages, by the advice that dd gives it. */
function drop(path: string): void {
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
}

/** Files below a folder that a process has open. */
function openBelow(pid: number, folder: string): string[] {
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)
  return files.filter((file) => {
    try {
      return readlinkSync(file).startsWith(folder)
    } catch {
      return false // closed meanwhile
    }
  })
}

test.runIf(canSee)('a file without content fills the page cache, and nothing of the disk', async () => {
  // So rarely read again that it is by the first time that it is there; others may make the kernel drop some of it.
  const stressor = await start('page-cache', { bytes: 128 * MIB, path: FOLDER, rereadMs: 600_000 })
  const [file] = openBelow(stressor.pid!, FOLDER)
  await expect.poll(() => cachedBytes(file!), SLOW_POLL).toBeGreaterThan(100 * MIB)
  expect(cachedBytes(file!)).toBeLessThanOrEqual(128 * MIB)
  await expect.poll(() => stressor.achieved['cachedBytes'], POLL).toBeGreaterThan(100 * MIB)
  expect(stressor).toMatchObject({ requested: { cachedBytes: 128 * MIB }, notes: [], achieved: { missedFiles: 0 } })
  const blocks = Number(execFileSync('stat', ['-L', '-c', '%b', file!], { encoding: 'latin1' }))
  expect(blocks).toBeLessThan(100)
  expect(readdirSync(FOLDER)).toEqual([])
  await stressor.stop()
  expect(isThere(stressor.pid!)).toBe(false)
})

test.runIf(canSee)(
  'files that are there are read again and again, whatever becomes of them, above the floor',
  async () => {
    using machine = FakeMachine.withMemory(2 ** 30, 2 ** 29)
    await using careful = new Stressors({ machineRoot: machine.root })
    const [big, small] = [join(SOURCE, 'big'), join(SOURCE, 'small')]
    // On the disk, so that their pages can be dropped.
    writeFileSync(big, Buffer.alloc(24 * MIB, 'x'), { flush: true })
    writeFileSync(small, Buffer.alloc(100_000, 'x'), { flush: true })
    const stressor = await start('page-cache', { source: SOURCE, rereadMs: 1000 }, { of: careful })
    expect(stressor.requested).toEqual({ cachedBytes: 24 * MIB + 100_000 })
    const cached = (): number => cachedBytes(big)
    await expect.poll(cached, SLOW_POLL).toBeGreaterThan(20 * MIB)
    drop(big)
    // Within a second all of it is read again; half of it is enough to tell.
    await expect.poll(cached, SLOW_POLL).toBeGreaterThan(12 * MIB)
    await expect.poll(() => stressor.achieved['fetchedBytesPerSecond'], POLL).toBeGreaterThan(0)
    expect(stressor.achieved['readBytesPerSecond']).toBeGreaterThan(MIB)
    truncateSync(big, MIB)
    rmSync(small)
    await expect.poll(() => stressor.achieved['missedFiles'], POLL).toBeGreaterThan(0)
    expect(stressor.state).toBe('running')
    machine.setMemory(2 ** 30, 255 * MIB)
    expect(await stressor.untilEnd()).toBe('floor')
    expect(careful.events.entries().at(-1)!.message).toContain(`less than the floor of ${256 * MIB}`)
  },
)

const limited = LONG && canSee ? MemoryCgroup.make(640 * MIB) : undefined
afterAll(() => limited?.[Symbol.asyncDispose]())

test.runIf(limited)(
  'in a container, pages of its other files are dropped, and its programs have what they need',
  async () => {
    const victim = join(FOLDER, 'victim')
    writeFileSync(victim, Buffer.alloc(64 * MIB, 'x'), { flush: true })
    drop(victim)
    execFileSync('/bin/sh', ['-c', `${limited!.enter} && cat '${victim}' > /dev/null`])
    expect(cachedBytes(victim)).toBe(64 * MIB)
    const spec = { type: 'page-cache', attributes: { percent: 100, path: FOLDER, rereadMs: 1000 }, ttlMs: 20_000 }
    await using parent = new StressorParent([spec], { before: limited!.enter })
    await parent.said('started')
    // The group has 640 MiB, of which its programs leave some 500: to have them, the kernel has to drop the victim's.
    await expect.poll(() => cachedBytes(victim), SLOW_POLL).toBeLessThan(32 * MIB)
    await parent.said('stressor_report')
    const take = `for (const all = []; all.length < 200; ) all.push(Buffer.alloc(${MIB}, 1))`
    execFileSync('/bin/sh', ['-c', `${limited!.enter} && exec "$0" -e '${take}'`, process.execPath])
    expect(limited!.killed).toBe(false)
    rmSync(victim)
  },
)

test.runIf(LONG && canSee)('a ramp of pages takes its time', async () => {
  const stressor = await start('page-cache', { bytes: 100 * MIB, path: FOLDER }, { rampUpMs: 10_000 })
  await expect.poll(() => stressor.achieved['cachedBytes'], POLL).toBeGreaterThan(MIB)
  expect(stressor.achieved['cachedBytes']).toBeLessThan(30 * MIB) // a second of ten
})

// ---- a parent that dies ------------------------------------------------------------------------------------------

const deaths = [
  { who: 'the parent', path: process.env['PATH']!, runs: findProgram('setpriv') !== undefined },
  { who: 'each stressor, and there is no setpriv', path: '/nonexistent', runs: LONG },
]
test.each(deaths.filter(({ runs }) => runs))('nothing is left of what was killed: $who', async ({ who, path }) => {
  await using server = await RawServer.start()
  const specs = [
    { type: 'connections', attributes: { target: server.address, count: 50 } },
    { type: 'file-descriptors', attributes: { count: 300 } },
    { type: 'processes', attributes: { count: 40 } },
    { type: 'page-cache', attributes: { bytes: 128 * MIB, path: FOLDER, rereadMs: 1000 } },
  ]
  await using parent = new StressorParent(specs, { path })
  const started = (await parent.said('started')) as { pid: number }[]
  const [connecting, holding, having, reading] = started.map(({ pid }) => pid)
  await untilOpen(server, 50)
  await expect.poll(() => processesOf(having!).length, POLL).toBe(40)
  const holder = childrenOf(holding!)[0]!
  await expect.poll(() => readdirSync(`/proc/${holder}/fd`).length, POLL).toBeGreaterThan(300)
  expect(openBelow(reading!, FOLDER)).not.toEqual([])
  const all = [connecting!, holding!, having!, reading!, holder, ...processesOf(having!)]
  const killed = who === 'the parent' ? [parent.pid] : started.map(({ pid }) => pid)
  for (const pid of killed) process.kill(pid, 'SIGKILL')
  await untilGone(all, 2000)
  await untilOpen(server, 0)
  expect(readdirSync(FOLDER)).toEqual([])
})
