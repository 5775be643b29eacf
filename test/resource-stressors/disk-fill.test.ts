import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { freeBytesOf, hiddenBytes } from '../support/hidden-files.ts'
import { MountedDisk } from '../support/mounted.ts'
import { childrenOf, FakeMachine, MIB, StressorParent, untilGone } from '../support/stressors.ts'

const POLL = { timeout: 10_000, interval: 10 }
const folder = mkdtempSync(join(tmpdir(), 'faultline-fill-'))
const stressors = new Stressors()
beforeAll(() => stressors.prepare())
afterAll(async () => {
  await stressors.close()
  rmSync(folder, { recursive: true })
})

const fillAt = (path: string, attributes: Record<string, unknown>, rampUpMs = 0): Promise<Stressor> =>
  stressors.start({ type: 'disk-fill', attributes: { path, ...attributes }, ttlMs: 20_000, rampUpMs })

test('it comes to what was asked for, to the block, without holes or a name, and gives it back', async () => {
  const blockBytes = statfsSync(folder).bsize
  const bytes = 64 * MIB
  const stressor = await fillAt(folder, { bytes: bytes - 1 }, 3000)
  const pid = stressor.pid!
  await expect.poll(() => stressor.achieved['bytes'], POLL).toBeGreaterThan(0)
  // After the first report, a second of three: not all, even if the report is a second late.
  expect(stressor.achieved['bytes']).toBeLessThan(bytes - MIB)
  await expect.poll(() => hiddenBytes(pid), POLL).toBeGreaterThanOrEqual(bytes)
  expect(hiddenBytes(pid) - bytes).toBeLessThanOrEqual(blockBytes)
  expect(readdirSync(folder)).toEqual([])
  await expect.poll(() => stressor.achieved['bytes'], POLL).toBe(hiddenBytes(pid))
  await stressor.stop()
  // Whoever has it open is gone: no name, no descriptor, no space.
  await untilGone([pid], 0)
})

test('killed in the middle of a write, where there is neither fallocate nor setpriv: nothing is left', async () => {
  const spec = { type: 'disk-fill', attributes: { path: folder, bytes: 512 * MIB }, ttlMs: 20_000 }
  await using parent = new StressorParent([spec], { path: '/nonexistent' })
  const [{ pid }] = await parent.said('started')
  await expect.poll(() => hiddenBytes(pid), { ...POLL, interval: 1 }).toBeGreaterThan(0)
  expect(hiddenBytes(pid)).toBeLessThan(512 * MIB) // it is at it
  const children = childrenOf(parent.pid)
  parent.child.kill('SIGKILL')
  await untilGone(children, 2000)
  expect(readdirSync(folder)).toEqual([])
})

test.each<[string, Record<string, unknown>, string]>([
  ['a path that is not absolute', { path: 'tmp', bytes: 1 }, 'attributes.path: expected an absolute path, got "tmp"'],
  ['a folder that is missing', { path: '/missing', bytes: 1 }, 'attributes.path: expected a folder that is there, got'],
  ['a file', { path: import.meta.filename, bytes: 1 }, 'attributes.path: expected a folder, got'],
  ['a folder of the kernel', { path: '/proc', bytes: 1 }, 'attributes.path: expected a folder on a file system with'],
  ['no amount', {}, 'attributes.bytes: expected bytes, percent or leaveFreeBytes'],
  ['two amounts', { bytes: 1, percent: 1 }, 'attributes.percent: expected nothing beside bytes, got 1'],
  ['200 %', { percent: 200 }, 'attributes.percent: expected a number from 0 to 100, got 200'],
  ['less than nothing', { bytes: -1 }, 'attributes.bytes: expected an integer'],
])('%s is refused', async (_what, attributes, message) => {
  const start = fillAt(folder, attributes)
  await expect(start).rejects.toMatchObject({ code: 'invalid_value', message: expect.stringContaining(message) })
  expect(readdirSync(folder)).toEqual([])
})

test('without a path it is the disk of temporary files, and that is said', async () => {
  const { notes } = await stressors.start({ type: 'disk-fill', attributes: { bytes: 1 }, dryRun: true })
  expect(notes).toEqual([`the disk is that of ${tmpdir()}`])
})

test('where more has to stay free than there is, nothing is taken', async () => {
  await using careful = new Stressors({ diskFloorBytes: 2 ** 52 })
  const start = careful.start({ type: 'disk-fill', attributes: { path: folder, bytes: 1 } })
  const message = expect.stringMatching(
    /^disk-fill: there is none to take: \d+ MiB of \d+ MiB on the disk of .* are free/,
  )
  await expect(start).rejects.toMatchObject({ code: 'stressor_refused', message })
})

// ---- on a small disk ---------------------------------------------------------------------------------------------

/** The floor, what is kept above it, and some to take. */
const SIZE = 1152 * MIB
const FLOOR = 1024 * MIB
const KEPT = FLOOR + 64 * MIB

describe('on a disk of its own', () => {
  let disk: MountedDisk | undefined
  beforeEach((context) => {
    disk = MountedDisk.inMemory(`size=${SIZE}`)
    if (!disk) context.skip('this machine does not let us mount a file system')
    return () => disk?.[Symbol.dispose]()
  })
  const path = (): string => disk!.folder
  const free = (): number => freeBytesOf(path())
  const other = (): string => join(path(), 'other')

  /** Others, in a process of their own: ours has to go on telling stressors that it is alive. */
  const write = (bytes: number) => promisify(execFile)('fallocate', ['-l', String(bytes), other()])

  test('asking for all leaves free what has to be; what others write is made room for, and then all is given back', async () => {
    const stressor = await fillAt(path(), { percent: 100 })
    expect(stressor.requested).toEqual({ bytes: SIZE - KEPT })
    expect(stressor.notes).toEqual([
      `1152 MiB were asked for: capped at 64 MiB, as 1088 MiB on the disk of ${path()} have to stay free`,
    ])
    await expect.poll(free, POLL).toBe(KEPT)
    await write(40 * MIB)
    await expect.poll(free, POLL).toBe(KEPT)
    expect(stressor.state).toBe('running')
    rmSync(other())
    await expect.poll(free, POLL).toBe(KEPT)
    // More than is above the floor, even without what we have.
    await write(SIZE - FLOOR + MIB)
    expect(await stressor.untilEnd()).toBe('floor')
    expect(free()).toBe(FLOOR - MIB)
    const last = stressors.events.entries({ stressor: stressor.id }).at(-1)
    expect(last!.message).toMatch(/^only \d+ bytes on the disk of .* were free, less than the floor of 1073741824$/)
  })

  test.runIf(process.env['FAULTLINE_LONG'])(
    'many that ask for all of it at the same time leave the floor free',
    async () => {
      let least = Infinity
      const watch = setInterval(() => (least = Math.min(least, free())), 1)
      const attributes = { path: path(), percent: 100 }
      const spec = { type: 'disk-fill', attributes, ttlMs: 20_000 }
      const all = await Promise.all(Array.from({ length: 16 }, () => stressors.start(spec)))
      await expect.poll(free, POLL).toBe(KEPT)
      await delay(1000) // time to take more
      clearInterval(watch)
      expect(least).toBeGreaterThan(FLOOR)
      expect(all.filter(({ state }) => state === 'running')).toHaveLength(16)
      await stressors.stopAll()
      expect(free()).toBe(SIZE)
    },
  )

  test('less free space than is safe is raised', async () => {
    const attributes = { path: path(), leaveFreeBytes: 1 }
    const { requested, notes } = await stressors.start({ type: 'disk-fill', attributes, dryRun: true })
    expect(requested).toEqual({ freeBytes: KEPT })
    expect(notes).toEqual(['less than 1088 MiB free is not safe here: so much will be left'])
  })

  test('one that is in memory takes no more than the memory can do without', async () => {
    using machine = FakeMachine.withMemory(1024 * MIB, (288 + 32) * MIB) // 288 have to stay free
    await using limited = new Stressors({ machineRoot: machine.root })
    const spec = { type: 'disk-fill', attributes: { path: path(), percent: 100 }, ttlMs: 20_000 }
    const stressor = await limited.start(spec)
    expect(stressor.requested).toEqual({ bytes: 32 * MIB })
    expect(stressor.notes).toEqual([expect.stringContaining('as 288 MiB of the memory that')])
    await expect.poll(free, POLL).toBe(SIZE - 32 * MIB)
    machine.setMemory(1024 * MIB, 255 * MIB)
    expect(await stressor.untilEnd()).toBe('floor')
    expect(free()).toBe(SIZE)
    await expect(limited.start(spec)).rejects.toMatchObject({ message: expect.stringContaining('of the memory that') })
  })

  test('one that can only be read is refused', async () => {
    using unwritable = MountedDisk.inMemory('ro')!
    const start = fillAt(unwritable.folder, { bytes: 1 })
    const message = expect.stringMatching(
      /^attributes.path: expected a folder that can be written to, got .* \(EROFS\)$/,
    )
    await expect(start).rejects.toMatchObject({ code: 'invalid_value', message })
  })
})
