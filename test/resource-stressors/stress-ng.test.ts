// stress-ng as an engine: what is refused before it is started, and, where it is installed, that nothing is left of it.
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { allowedStressors } from '../../resource-stressors/kinds/stress-ng/allowed.ts'
import { findStressNg } from '../../resource-stressors/kinds/stress-ng/program.ts'
import { findProgram } from '../../resource-stressors/machine/programs.ts'
import { childrenOf, FakeMachine, isThere, MIB, StressorParent, untilGone } from '../support/stressors.ts'

const POLL = { timeout: 10_000, interval: 20 }
const stressors = new Stressors()
afterEach(() => stressors.stopAll())
afterAll(() => stressors.close())

interface Start {
  readonly of?: Stressors
  readonly dryRun?: boolean
  readonly rampUpMs?: number
}

function start(attributes: Record<string, unknown>, { of = stressors, ...rest }: Start = {}): Promise<Stressor> {
  return of.start({ type: 'stress-ng', attributes, ttlMs: 20_000, ...rest })
}

/** Temporary files of this test alone: others may run it at the same time. */
const TEMPORARY = mkdtempSync(join(tmpdir(), 'faultline-stress-ng-test-'))
const { TMPDIR } = process.env
beforeAll(() => void (process.env['TMPDIR'] = TEMPORARY))
afterAll(() => {
  if (TMPDIR === undefined) delete process.env['TMPDIR']
  else process.env['TMPDIR'] = TMPDIR
  rmSync(TEMPORARY, { recursive: true })
})

const PATH = process.env['PATH']
afterEach(() => {
  process.env['PATH'] = PATH
})

/** A program stress-ng that has what it is told to have. */
function fakeProgram(stressorNames: string): Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-fake-stress-ng-'))
  const answers = `case "$1" in --version) echo "stress-ng, version 0.09.1" ;; *) echo "${stressorNames}" ;; esac`
  writeFileSync(join(folder, 'stress-ng'), `#!/bin/sh\n${answers}\n`)
  chmodSync(join(folder, 'stress-ng'), 0o755)
  process.env['PATH'] = `${folder}:${PATH}`
  return { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

// ---- what is refused, without the program ------------------------------------------------------------------------

test.each<[string, Record<string, unknown>, string]>([
  ['no stressor', {}, 'attributes.stressor: missing, expected a non-empty string'],
  // They switch off cores, use all memory, and open ports to everybody.
  ['cpu-online', { stressor: 'cpu-online' }, 'attributes.stressor: expected one of those that only load a machine'],
  ['oom-pipe', { stressor: 'oom-pipe' }, 'attributes.stressor: expected one of those that only load a machine'],
  ['sock', { stressor: 'sock' }, 'attributes.stressor: expected one of those that only load a machine'],
  ['a mistake', { stressor: 'swich' }, '(did you mean "switch"?)'],
  ['an option in disguise', { stressor: 'cpu --pathological' }, 'attributes.stressor: expected one of those'],
  ['flags', { stressor: 'cpu', options: ['--all', '0'] }, 'attributes.options: unknown field'],
  ['no worker', { stressor: 'cpu', workers: 0 }, 'attributes.workers: expected'],
])('%s is refused', async (_what, attributes, message) => {
  await expect(start(attributes, { dryRun: true })).rejects.toMatchObject({ message: expect.stringContaining(message) })
})

test('there are no names of options in the list, and none twice', () => {
  expect(allowedStressors.filter((name) => !/^[a-z][a-z\d-]*$/.test(name))).toEqual([])
  expect(new Set(allowedStressors).size).toBe(allowedStressors.length)
})

test('it has no ramp', async () => {
  const ramp = start({ stressor: 'cpu' }, { rampUpMs: 1000, dryRun: true })
  await expect(ramp).rejects.toThrow('rampUpMs: expected 0, as stress-ng has no ramp, got 1000')
})

test('where it is not installed, that is what it says', async () => {
  process.env['PATH'] = '/nonexistent'
  await expect(start({ stressor: 'cpu' }, { dryRun: true })).rejects.toMatchObject({
    code: 'stressor_refused',
    message: expect.stringContaining('stress-ng: the program stress-ng is not installed; install its package'),
  })
})

test('an old one has fewer stressors', async () => {
  using _program = fakeProgram('cpu vm')
  const missing = start({ stressor: 'switch' }, { dryRun: true })
  await expect(missing).rejects.toThrow(
    'attributes.stressor: expected a stressor that stress-ng 0.09.1 has, got "switch"',
  )
})

test('a dry run says what would be started; not more workers than are good for others, nor without memory', async () => {
  using _program = fakeProgram(allowedStressors.join(' '))
  const { requested, notes, state } = await start({ stressor: 'cache', workers: 2 }, { dryRun: true })
  expect({ requested, state }).toEqual({ requested: { workers: 2 }, state: 'planned' })
  expect(notes).toEqual([
    expect.stringMatching(
      /^stress-ng 0\.09\.1: \S+\/stress-ng --cache 2 --timeout 22s --oomable --no-oom-adjust --log-brief --temp-path FOLDER$/,
    ),
  ])
  const many = start({ stressor: 'cache', workers: 10_000 }, { dryRun: true })
  await expect(many).rejects.toThrow(/^attributes\.workers: expected at most \d+, 4 for each of \d+ cores, got 10000$/)
  using machine = FakeMachine.withMemory(2 ** 30, 400 * MIB) // 256 MiB are the floor, and 32 more stay free
  await using small = new Stressors({ machineRoot: machine.root })
  await expect(start({ stressor: 'vm' }, { of: small, dryRun: true })).rejects.toMatchObject({
    code: 'stressor_refused',
    message: 'stress-ng: 1 workers of vm may need 320 MiB of memory, and 112 MiB can be taken',
  })
})

// ---- with the program --------------------------------------------------------------------------------------------

const isInstalled = findProgram('stress-ng') !== undefined && process.platform === 'linux'
if (!isInstalled) process.stdout.write('stress-ng is not installed: tests with it are skipped\n')

/** All of a session, by the kernel's list: the program itself first. */
function sessionOf(leader: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const members = pids.filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === leader
    } catch {
      return false // ended meanwhile
    }
  })
  return members.map(Number).filter(isThere)
}

const readOf = (pid: number, file: string): string => readFileSync(`/proc/${pid}/${file}`, 'latin1')

/** The first process of stress-ng that a stressor's process has: its other child is a guard. */
function leaderOf(pid: number): number {
  return childrenOf(pid).find((child) => readOf(child, 'comm').startsWith('stress-ng'))!
}

const foldersLeft = (): string[] => readdirSync(TEMPORARY).filter((name) => name.startsWith('faultline-stress-ng-'))

describe.runIf(isInstalled)('with the program', () => {
  test('all that may be started is there', async () => {
    const { stressors: present } = await findStressNg()
    expect(allowedStressors.filter((name) => !present.has(name))).toEqual([])
  })

  test('it runs with a limit, first to be killed for want of memory; the stop ends it all', async () => {
    const before = foldersLeft()
    const stressor = await start({ stressor: 'vm', workers: 2 })
    const leader = leaderOf(stressor.pid!)
    expect(stressor).toMatchObject({ state: 'running', requested: { workers: 2 }, threads: 2 })
    const folder = foldersLeft().find((name) => !before.includes(name))
    const options = readOf(leader, 'cmdline').split('\0').slice(1, -1)
    const temporary = join(TEMPORARY, folder!)
    expect(options.join(' ')).toBe(
      `--vm 2 --timeout 22s --oomable --no-oom-adjust --log-brief --temp-path ${temporary}`,
    )
    const all = sessionOf(leader)
    expect(all.length).toBeGreaterThanOrEqual(3)
    expect(new Set(all.map((pid) => readOf(pid, 'oom_score_adj').trim()))).toEqual(new Set(['1000']))
    await expect.poll(() => stressor.achieved['workers'], POLL).toBe(2)
    // Two that do nothing else; on a busy machine they may have little.
    expect(stressor.achieved['cpuCores']).toBeGreaterThan(0.05)
    await stressor.stop()
    expect(sessionOf(leader)).toEqual([])
    expect(foldersLeft()).toEqual(before)
  })

  test('near the floor of memory it is ended', async () => {
    using machine = FakeMachine.withMemory(2 ** 34, 2 ** 33)
    await using careful = new Stressors({ machineRoot: machine.root })
    const stressor = await start({ stressor: 'nanosleep' }, { of: careful })
    const leader = leaderOf(stressor.pid!)
    machine.setMemory(2 ** 34, 100 * MIB)
    expect(await stressor.untilEnd()).toBe('floor')
    expect(careful.events.entries().at(-1)!.message).toContain(`only ${100 * MIB} bytes of memory were free`)
    expect(sessionOf(leader)).toEqual([])
  })

  test('if it is killed itself, the stressor has died', async () => {
    const before = foldersLeft()
    const stressor = await start({ stressor: 'nanosleep' })
    const leader = leaderOf(stressor.pid!)
    process.kill(leader, 'SIGKILL')
    expect(await stressor.untilEnd()).toBe('died')
    expect(stressors.events.entries().at(-1)!.message).toContain('stress-ng ended with SIGKILL')
    expect(sessionOf(leader)).toEqual([])
    expect(foldersLeft()).toEqual(before)
  })

  test('nothing is left of it under an emergency stop, within a second', async () => {
    const before = foldersLeft()
    const stressor = await start({ stressor: 'memrate' }) // it needs half a second for its own end
    const leader = leaderOf(stressor.pid!)
    const beginMs = performance.now()
    await stressors.stopAll('stop')
    expect(performance.now() - beginMs).toBeLessThan(1000)
    expect(sessionOf(leader)).toEqual([])
    expect(foldersLeft()).toEqual(before)
  })

  const deaths = [
    { who: 'the parent', path: PATH! },
    { who: 'the stressor', path: PATH! },
    // Without setpriv: only the guard ends it.
    { who: 'both', path: '' },
  ]
  test.each(deaths)('nothing is left of what was killed: $who', async ({ who, path }) => {
    const before = foldersLeft()
    using program = onlyStressNg()
    const spec = { type: 'stress-ng', attributes: { stressor: 'nanosleep' }, ttlMs: 20_000 }
    await using parent = new StressorParent([spec], { path: path || program.folder })
    const [{ pid }] = await parent.said('started')
    const leader = leaderOf(pid)
    const all = [pid, ...childrenOf(pid), ...sessionOf(leader)]
    expect(all.length).toBeGreaterThanOrEqual(4)
    if (who !== 'the parent') process.kill(pid, 'SIGKILL')
    if (who !== 'the stressor') parent.child.kill('SIGKILL')
    await untilGone(all, 2000)
    expect(sessionOf(leader)).toEqual([])
    expect(foldersLeft()).toEqual(before)
  })
})

/** A path with nothing but the program. */
function onlyStressNg(): Disposable & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'faultline-only-stress-ng-'))
  writeFileSync(join(folder, 'stress-ng'), `#!/bin/sh\nexec ${findProgram('stress-ng')} "$@"\n`)
  chmodSync(join(folder, 'stress-ng'), 0o755)
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}
