import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { systemCode } from '../../proxy/errors.ts'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { Machine } from '../../resource-stressors/machine/machine.ts'
import { MountedDisk } from '../support/mounted.ts'
import { childrenOf, FakeMachine, MIB, StressorParent, untilGone } from '../support/stressors.ts'

const POLL = { timeout: 10_000, interval: 10 }
const folder = mkdtempSync(join(tmpdir(), 'faultline-inodes-test-'))
const stressors = new Stressors()
afterAll(async () => {
  await stressors.close()
  rmSync(folder, { recursive: true })
})

const startAt = (path: string, attributes: Record<string, unknown>, dryRun = false): Promise<Stressor> =>
  stressors.start({ type: 'inodes', attributes: { path, ...attributes }, ttlMs: 20_000, dryRun })

const filesBelow = (path: string): string[] => readdirSync(path, { recursive: true }) as string[]

test('killed while it makes files, and its parent too: a guard removes them', async () => {
  const spec = { type: 'inodes', attributes: { path: folder, count: 200_000 }, ttlMs: 20_000 }
  await using parent = new StressorParent([spec])
  const [{ pid }] = await parent.said('started')
  await expect.poll(() => filesBelow(folder).length, POLL).toBeGreaterThan(500)
  const all = [...childrenOf(parent.pid), ...childrenOf(pid)]
  process.kill(pid, 'SIGKILL')
  parent.child.kill('SIGKILL')
  await untilGone(all, 2000)
  expect(filesBelow(folder)).toEqual([])
})

test.each<[string, Record<string, unknown>, string]>([
  ['no number', {}, 'attributes.count: expected count or leaveFree, got'],
  ['two numbers', { count: 1, leaveFree: 1 }, 'attributes.leaveFree: expected nothing beside count, got 1'],
  ['none', { count: 0 }, 'attributes.count: expected an integer ≥ 1, got 0'],
  ['a share', { percent: 50 }, 'attributes.percent: unknown field, expected one of path, count, leaveFree'],
  ['a path that is not absolute', { path: '.', count: 1 }, 'attributes.path: expected an absolute path, got "."'],
  ['a file', { path: import.meta.filename, count: 1 }, 'attributes.path: expected a folder, got'],
])('%s is refused', async (_what, attributes, message) => {
  const start = startAt(folder, attributes)
  await expect(start).rejects.toMatchObject({ message: expect.stringContaining(message) })
  expect(filesBelow(folder)).toEqual([])
})

test('a dry run makes nothing, and says what would be too many to give back', async (context) => {
  const { files, ffree } = statfsSync(folder)
  if (ffree - 0.06 * files < 1e6) context.skip('this disk has too few inodes')
  const most = 20_000 * Math.max(1, Math.min(2, Math.floor(new Machine().cpu().usableCores)))
  const { requested, notes } = await startAt(folder, { count: 2 ** 40 }, true)
  expect(requested).toEqual({ inodes: most })
  const why = 'as more could not be given back within a second'
  expect(notes).toEqual([`${2 ** 40} were asked for: capped at ${most}, ${why}`])
  await expect(startAt(folder, { leaveFree: 1 }, true)).rejects.toMatchObject({
    message: expect.stringMatching(RegExp(String.raw`attributes\.leaveFree: expected at least \d+, ${why}, got 1$`)),
  })
  expect(filesBelow(folder)).toEqual([])
})

// ---- on a small disk ---------------------------------------------------------------------------------------------

const INODES = 2000
const FLOOR = 100
/** 20 more stay free. */
const KEPT = 120

describe('on a disk of its own', () => {
  let disk: MountedDisk | undefined
  beforeEach((context) => {
    disk = MountedDisk.inMemory(`size=16m,nr_inodes=${INODES}`)
    if (!disk) context.skip('this machine does not let us mount a file system')
    return () => disk?.[Symbol.dispose]()
  })
  const free = (): number => statfsSync(disk!.folder).ffree
  const start = (attributes: Record<string, unknown>): Promise<Stressor> => startAt(disk!.folder, attributes)

  /** Others who need inodes: they wait while there are none. */
  async function makeFiles(count: number): Promise<void> {
    const other = join(disk!.folder, 'other')
    mkdirSync(other)
    for (let made = 1; made < count;) {
      try {
        writeFileSync(join(other, String(made)), '')
        made++
      } catch (error) {
        if (systemCode(error) !== 'ENOSPC') throw error
        await delay(10)
      }
    }
  }

  test('it comes to as many as were asked for, and gives them back', async () => {
    const before = free()
    const attributes = { path: disk!.folder, count: 700 }
    const stressor = await stressors.start({ type: 'inodes', attributes, rampUpMs: 3000, ttlMs: 20_000 })
    expect(stressor.requested).toEqual({ inodes: 700 })
    await expect.poll(() => stressor.achieved['inodes'], POLL).toBeGreaterThan(1)
    // After the first report, a second of three: not all, even if the report is a second late.
    expect(stressor.achieved['inodes']).toBeLessThan(650)
    await expect.poll(free, POLL).toBe(before - 700)
    await stressor.stop()
    expect(free()).toBe(before)
    expect(filesBelow(disk!.folder)).toEqual([])
  })

  test('asking for all leaves free what has to be; what others need is given back, and then everything', async () => {
    const stressor = await start({ count: 10 * INODES })
    expect(stressor.notes).toEqual([
      expect.stringContaining('20000 were asked for: capped at 1879, as 120 of 2000 inodes'),
    ])
    await expect.poll(free, POLL).toBe(KEPT)
    await makeFiles(15) // less than is between that and the floor
    await expect.poll(free, POLL).toBe(KEPT)
    expect(stressor.state).toBe('running')
    rmSync(join(disk!.folder, 'other'), { recursive: true })
    await expect.poll(free, POLL).toBe(KEPT)
    await makeFiles(INODES - FLOOR + 10)
    expect(await stressor.untilEnd()).toBe('floor')
    expect(readdirSync(disk!.folder)).toEqual(['other'])
  })

  test('where memory holds them, there have to be enough of it', async () => {
    using machine = FakeMachine.withMemory(1024 * MIB, 256 * MIB) // all of it is the floor
    await using limited = new Stressors({ machineRoot: machine.root })
    const refused = limited.start({ type: 'inodes', attributes: { path: disk!.folder, count: 1 } })
    await expect(refused).rejects.toMatchObject({
      code: 'stressor_refused',
      message: expect.stringContaining('inodes that memory suffices for are free'),
    })
  })
})
