// An emergency stop is over within a second, also for stressors that have taken as much as they may. A tenth or less of that
// here; all of it with FAULTLINE_LONG=1, on a machine that has nothing else to do.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { openFileSupply } from '../../resource-stressors/machine/open-files.ts'
import { childrenOf, untilGone } from '../support/stressors.ts'

const LONG = Boolean(process.env['FAULTLINE_LONG'])
const IN_A_SECOND_MS = 1000
/** As many as they may have are not there at once: 40,000 files take two seconds, and others may be busy. */
const POLL = { timeout: 60_000, interval: 20 }

const folder = mkdtempSync(join(tmpdir(), 'faultline-stop-test-'))
const stressors = new Stressors()
afterEach(() => stressors.stopAll())
afterAll(async () => {
  await stressors.close()
  rmSync(folder, { recursive: true })
})

function start(type: string, attributes: Record<string, unknown>, dryRun = false): Promise<Stressor> {
  return stressors.start({ type, attributes, ttlMs: 90_000, dryRun })
}

/** A server that never reads: what ends with a FIN stays for it. It is one process with this test, which must be able to act. */
async function deafServer(): Promise<{ readonly target: string; readonly port: number } & AsyncDisposable> {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => socket.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
  const { port } = server.address() as net.AddressInfo
  return {
    target: `127.0.0.1:${port}`,
    port,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

/** Connections to and from a port in any state but LISTEN and TIME_WAIT, by the kernel's list: proc_net(5). */
function connectionsOf(port: number): number {
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = readFileSync('/proc/net/tcp', 'latin1').split('\n')
  return lines.filter((line) => {
    const [, local = '', remote = '', state = ''] = line.trim().split(/\s+/)
    return state !== '0A' && state !== '06' && (local.endsWith(address) || remote.endsWith(address))
  }).length
}

function processesOf({ pid }: Stressor): number[] {
  return childrenOf(pid!).flatMap((child) => [child, ...childrenOf(child)])
}

const filesBelow = (): string[] => readdirSync(folder, { recursive: true }) as string[]

describe.runIf(process.platform === 'linux')('the emergency stop', () => {
  test('gives everything back that is there, and resets connections, also for a server that does not read', async () => {
    await using server = await deafServer()
    // Enough for each part of the folder to have some.
    const inodes = await start('inodes', { path: folder, count: 3000 })
    const connections = await start('connections', { target: server.target, count: 300 })
    const processes = await start('processes', { count: 100 })
    const files = await start('file-descriptors', { count: 2000 })
    await expect.poll(() => filesBelow().length, POLL).toBe(3000)
    await expect.poll(() => connectionsOf(server.port), POLL).toBe(600) // two ends each
    await expect.poll(() => processesOf(processes).length, POLL).toBe(100)
    await expect.poll(() => files.achieved['files'], POLL).toBe(2000)
    expect(connections.achieved).toMatchObject({ connections: 300 })
    const all = [...processesOf(processes), ...childrenOf(files.pid!), ...childrenOf(inodes.pid!)]
    const beginMs = performance.now()
    expect(await stressors.stopAll('stop')).toBe(4)
    await untilGone(all, IN_A_SECOND_MS)
    expect(performance.now() - beginMs).toBeLessThan(IN_A_SECOND_MS)
    expect(filesBelow()).toEqual([])
    expect(connectionsOf(server.port)).toBe(0)
    expect(stressors.list).toEqual([])
  })

  test('all stressors together have no more than can be given back in that time', async () => {
    await using server = await deafServer()
    // As many are counted as it is to have; at this rate, it has one.
    await start('connections', { target: server.target, count: 5000, perSecond: 0.01 })
    const { requested, notes } = await start('processes', { count: 100_000 }, true)
    expect(requested).toEqual({ processes: 2500 })
    expect(notes).toEqual([
      '100000 were asked for: capped at 2500, as more could not be given back within a second, beside what other stressors have',
    ])
    await start('connections', { target: server.target, count: 5000, perSecond: 0.01 })
    for (const [type, attributes] of [
      ['inodes', { count: 1 }],
      ['file-descriptors', { leaveFree: 1_000_000 }],
      ['processes', { count: 1 }],
      ['connections', { target: server.target, count: 1 }],
    ] as const) {
      await expect(start(type, attributes, true), type).rejects.toMatchObject({
        code: 'stressor_refused',
        message: expect.stringContaining('as more could not be given back within a second'),
      })
    }
  })
})

/** Starts one, waits until it has all, stops, and says how long it took until nothing was left. */
async function stopMs(type: string, attributes: Record<string, unknown>, left: (it: Stressor) => number) {
  const stressor = await start(type, attributes)
  const [[figure, count] = ['', 0]] = Object.entries(stressor.requested)
  await expect.poll(() => stressor.achieved[figure], POLL).toBe(count)
  expect(left(stressor)).toBeGreaterThan(0)
  const beginMs = performance.now()
  const stopped = stressors.stopAll('stop')
  await expect.poll(() => left(stressor), POLL).toBe(0)
  const endMs = performance.now()
  await stopped
  return endMs - beginMs
}

/** All that the kernel schedules: proc_loadavg(5). */
function tasks(): number {
  return Number(readFileSync('/proc/loadavg', 'latin1').match(/\/(\d+)/)![1])
}

describe.runIf(LONG)('the emergency stop of as much as one stressor may have takes less than a second', () => {
  test.each([tmpdir(), '/dev/shm'])('inodes below %s', { timeout: 120_000 }, async (parent) => {
    const path = mkdtempSync(join(parent, 'faultline-stop-test-'))
    const folders = (): number => readdirSync(path).length
    expect(await stopMs('inodes', { path, count: 1e6 }, folders)).toBeLessThan(IN_A_SECOND_MS)
    rmSync(path, { recursive: true })
  })

  test('connections', { timeout: 120_000 }, async () => {
    await using server = await deafServer()
    const left = (): number => connectionsOf(server.port)
    const attributes = { target: server.target, count: 1e6, maxOpening: 1000 }
    expect(await stopMs('connections', attributes, left)).toBeLessThan(IN_A_SECOND_MS)
  })

  test('processes', { timeout: 120_000 }, async () => {
    const before = tasks()
    // Others come and go by tens, also threads of this test's own.
    const left = (): number => Math.max(0, tasks() - before - 200)
    expect(await stopMs('processes', { count: 1e6 }, left)).toBeLessThan(IN_A_SECOND_MS)
  })

  test('open files', { timeout: 120_000 }, async () => {
    const before = openFileSupply('/')!.used
    const left = (): number => Math.max(0, openFileSupply('/')!.used - before - 2000)
    expect(await stopMs('file-descriptors', { count: 1e6 }, left)).toBeLessThan(IN_A_SECOND_MS)
  })
})
