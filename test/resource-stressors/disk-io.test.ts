import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { Pace } from '../../resource-stressors/kinds/disk-io/pace.ts'
import { freeBytesOf, hiddenBytes } from '../support/hidden-files.ts'
import { MountedDisk } from '../support/mounted.ts'
import { childrenOf, MIB, StressorParent, untilGone } from '../support/stressors.ts'

const POLL = { timeout: 10_000, interval: 10 }
const folder = mkdtempSync(join(tmpdir(), 'faultline-io-'))
const stressors = new Stressors()
beforeAll(() => stressors.prepare())
afterAll(async () => {
  await stressors.close()
  rmSync(folder, { recursive: true })
})

const startIo = (attributes: Record<string, unknown>, path = folder): Promise<Stressor> =>
  stressors.start({ type: 'disk-io', attributes: { path, ...attributes }, ttlMs: 20_000 })

/** What a process has had moved from and to disks, by the kernel's count. */
function movedBytes(pid: number): { read: number; written: number } {
  const text = readFileSync(`/proc/${pid}/io`, 'latin1')
  const number = (key: string): number => Number(text.match(new RegExp(`^${key}: (\\d+)`, 'm'))![1])
  return { read: number('read_bytes'), written: number('write_bytes') }
}

test('workers read and write at the rate that was asked for, in their shares, by the count of the kernel', async () => {
  const bytesPerSecond = 4 * MIB
  const attributes = { bytesPerSecond, readShare: 0.25, workers: 2, fileSizeBytes: 2 * MIB }
  const stressor = await startIo(attributes)
  expect(stressor.requested).toEqual({ bytesPerSecond, operationsPerSecond: 64 })
  expect(stressor.notes).toEqual(['it begins by writing what is to be read, 2 MiB'])
  const pid = stressor.pid!
  await expect.poll(() => movedBytes(pid).read, POLL).toBeGreaterThan(0) // the files are there
  expect(hiddenBytes(pid)).toBe(2 * MIB)
  const [beginMs, before] = [performance.now(), movedBytes(pid)]
  await delay(1500) // what is measured, not synchronisation
  const [seconds, after] = [(performance.now() - beginMs) / 1000, movedBytes(pid)]
  const rates = { read: (after.read - before.read) / seconds, written: (after.written - before.written) / seconds }
  // Others use the disk as well, and 96 operations are few: but a worker too many, or no pace, is at least double.
  expect(rates.read / bytesPerSecond).toBeGreaterThan(0.15)
  expect(rates.read / bytesPerSecond).toBeLessThan(0.35)
  expect(rates.written / bytesPerSecond).toBeGreaterThan(0.5)
  expect(rates.written / bytesPerSecond).toBeLessThan(1)
  expect(stressor.achieved['bytesPerSecond']! / bytesPerSecond).toBeGreaterThan(0.5)
  expect(stressor.achieved['bytesPerSecond']! / bytesPerSecond).toBeLessThan(1.5)
  await stressor.stop()
  expect(readdirSync(folder)).toEqual([])
})

test('what the disk withholds is made up for, but for a second at most', () => {
  const pace = new Pace(0, 0)
  /** How many operations are due at once. */
  const due = (nowMs: number): number => {
    let count = 0
    while (pace.next(nowMs, 100) === 0) count++
    return count
  }
  expect(pace.next(0, 100)).toBe(10)
  expect(due(10)).toBe(1)
  expect(due(510)).toBe(50)
  expect(due(10_510)).toBe(100)
  expect(due(10_515)).toBe(0)
  expect(pace.next(10_515, 100)).toBe(5)
  expect(due(10_520)).toBe(1)
})

test('killed while it writes: nothing is left', async () => {
  // Far more than a disk can do: it is never idle.
  const attributes = { path: folder, iops: 1e6, sync: 'fdatasync', fileSizeBytes: MIB }
  await using parent = new StressorParent([{ type: 'disk-io', attributes, ttlMs: 20_000 }], { path: '/nonexistent' })
  const [{ pid }] = await parent.said('started')
  const before = movedBytes(pid).written
  await expect.poll(() => movedBytes(pid).written, POLL).toBeGreaterThan(before + 100_000)
  const children = childrenOf(parent.pid)
  parent.child.kill('SIGKILL')
  await untilGone(children, 2000)
  expect(readdirSync(folder)).toEqual([])
})

test.each<[string, Record<string, unknown>, string]>([
  ['no rate', {}, 'attributes.bytesPerSecond: expected bytesPerSecond or iops, got'],
  ['two rates', { bytesPerSecond: MIB, iops: 1 }, 'attributes.iops: expected nothing beside bytesPerSecond, got 1'],
  [
    'less than a block a second',
    { bytesPerSecond: 5000 },
    'attributes.bytesPerSecond: expected at least a block a second',
  ],
  ['a tiny block', { iops: 1, blockSize: 1 }, 'attributes.blockSize: expected an integer from 4096 to 16777216, got 1'],
  ['a huge block', { iops: 1, blockSize: 2 ** 40 }, 'attributes.blockSize: expected an integer from 4096 to'],
  ['an odd block', { iops: 1, blockSize: 5000 }, 'attributes.blockSize: expected a multiple of 4096, got 5000'],
  ['more reads than all', { iops: 1, readShare: 1.1 }, 'attributes.readShare: expected a number from 0 to 1, got 1.1'],
  ['fewer reads than none', { iops: 1, readShare: -1 }, 'attributes.readShare: expected a number from 0 to 1, got -1'],
  [
    'another sync',
    { iops: 1, sync: 'fsync' },
    'attributes.sync: expected "direct" or "fdatasync" or "none", got "fsync"',
  ],
  ['an army', { iops: 1, workers: 17 }, 'attributes.workers: expected an integer from 1 to 16, got 17'],
  [
    'a small file',
    { iops: 1, workers: 2, fileSizeBytes: 4096 },
    'attributes.fileSizeBytes: expected at least a block of',
  ],
  ['a huge file', { iops: 1, fileSizeBytes: 2 ** 50 }, 'attributes.fileSizeBytes: expected an integer from 4096 to'],
  [
    'a missing folder',
    { iops: 1, path: '/missing' },
    'attributes.path: expected a folder that is there, got "/missing"',
  ],
])('%s is refused', async (_what, attributes, message) => {
  const start = startIo(attributes)
  await expect(start).rejects.toMatchObject({ code: 'invalid_value', message: expect.stringContaining(message) })
  expect(readdirSync(folder)).toEqual([])
})

test('one in memory is no disk', async (context) => {
  using memory = MountedDisk.inMemory('size=1m')
  if (!memory) context.skip('this machine does not let us mount a file system')
  const message = expect.stringContaining('attributes.path: expected a folder on a disk, not in memory, got')
  await expect(startIo({ iops: 1 }, memory!.folder)).rejects.toMatchObject({ code: 'invalid_value', message })
})

test('where more has to stay free than there is, no file is made', async () => {
  await using careful = new Stressors({ diskFloorBytes: 2 ** 52 })
  const start = careful.start({ type: 'disk-io', attributes: { path: folder, iops: 1 } })
  const message = expect.stringContaining('disk-io: there is none to take')
  await expect(start).rejects.toMatchObject({ code: 'stressor_refused', message })
})

// ---- on a small disk ---------------------------------------------------------------------------------------------

describe('on a disk of its own', () => {
  let disk: MountedDisk | undefined
  beforeEach((context) => {
    // With the contents of files in its journal, it accepts O_DIRECT and does not do it.
    disk = MountedDisk.ext4(1300 * MIB, 'data=journal')
    if (!disk) context.skip('this machine does not let us mount a file system')
    return () => disk?.[Symbol.dispose]()
  })

  /** By the device's own count, in sectors of 512 bytes: Documentation/block/stat. */
  function deviceWrittenBytes(): number {
    const { dev } = statSync(disk!.folder)
    const device = `${Math.floor(dev / 256)}:${dev % 256}`
    return Number(readFileSync(`/sys/dev/block/${device}/stat`, 'latin1').trim().split(/\s+/)[6]) * 512
  }

  test('a file system that only pretends to do direct I/O is refused; with fdatasync, writes reach the device', async () => {
    const { folder } = disk!
    const direct = startIo({ iops: 10 }, folder)
    const why = `sync: expected fdatasync or none, got "direct": the file system of ${folder} has no direct I/O`
    await expect(direct).rejects.toMatchObject({ message: expect.stringContaining(why) })

    const stressor = await startIo({ iops: 100, sync: 'fdatasync', fileSizeBytes: MIB }, folder)
    const before = { process: movedBytes(stressor.pid!).written, device: deviceWrittenBytes() }
    await expect.poll(() => movedBytes(stressor.pid!).written - before.process, POLL).toBeGreaterThan(100_000)
    // All but the one that is under way. Without a wait for the device, it would be none in the first seconds.
    expect(deviceWrittenBytes() - before.device).toBeGreaterThan(90_000)

    // Others take the rest: what is left is less than the floor.
    const free = freeBytesOf(folder)
    execFileSync('fallocate', ['-l', String(free - 1000 * MIB), join(folder, 'other')])
    expect(await stressor.untilEnd()).toBe('floor')
    expect(readdirSync(folder).sort()).toEqual(['lost+found', 'other'])
  })
})
