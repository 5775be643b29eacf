// What is refused, what is capped, and what a dry run says: no process is started here.
import { afterAll, expect, test } from 'vitest'
import { Stressors, type StressorSpec } from '../../resource-stressors/index.ts'
import { FakeMachine, MIB } from '../support/stressors.ts'

const GIB = 1024 * MIB
/** 1 GiB has a floor of 256 MiB, and 32 MiB more stay free. */
const machine = FakeMachine.withMemory(GIB, 0.5 * GIB)
machine.write('proc/self/status', 'Cpus_allowed_list:\t0-1\n')
afterAll(() => machine[Symbol.dispose]())
const ROOM = 0.5 * GIB - 288 * MIB

const stressors = new Stressors({ machineRoot: machine.root })

const dryRun = (spec: StressorSpec) => stressors.start({ ...spec, dryRun: true })

test.each<[StressorSpec, string, string]>([
  [{ type: 'cpuu' }, 'unknown_stressor_type', ', got "cpuu" (did you mean "cpu"?)'],
  [{ type: 'cpu', attributes: { load: 10_000 } }, 'invalid_value', 'attributes.load: expected a number from 0 to 100'],
  [{ type: 'cpu', attributes: { workers: 9 } }, 'invalid_value', 'attributes.workers: expected at most 8, 4 for each'],
  [{ type: 'cpu', attributes: { cores: [0, 7] } }, 'invalid_value', 'attributes.cores: expected some of 0, 1, got 7'],
  [{ type: 'cpu', attributes: { laod: 1 } }, 'unknown_field', 'attributes.laod: unknown field (did you mean "load"?)'],
  [{ type: 'cpu', ttlMs: 900_001 }, 'invalid_value', 'ttlMs: expected an integer from 1 to 900000'],
  [{ type: 'cpu', ttlMs: Infinity }, 'invalid_value', 'ttlMs: expected an integer from 1 to 900000'],
  [{ type: 'cpu', ttlMs: 5, rampUpMs: 6 }, 'invalid_value', 'rampUpMs: expected at most ttlMs, 5, got 6'],
  [{ type: 'memory', attributes: { percent: 200 } }, 'invalid_value', 'attributes.percent: expected a number from 0'],
  [{ type: 'memory' }, 'invalid_value', 'attributes.bytes: expected bytes, percent, leaveFreeBytes or'],
  [{ type: 'memory', attributes: { bytes: 1, percent: 1 } }, 'invalid_value', 'attributes.percent: expected nothing'],
  [
    { type: 'memory', rampUpMs: 1, attributes: { leakBytesPerSecond: 1 } },
    'invalid_value',
    'attributes.leakBytesPerSecond: expected nothing beside rampUpMs',
  ],
  [
    { type: 'memory', rampUpMs: 1, attributes: { leaveFreeBytes: 1 } },
    'invalid_value',
    'attributes.leaveFreeBytes: expected nothing beside rampUpMs',
  ],
])('%j is refused with %s', async (spec, code, message) => {
  await expect(stressors.start(spec)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  expect(stressors.list).toEqual([])
})

test('more memory than may be taken is capped, and it is said at how much', async () => {
  const { state, requested, notes } = await dryRun({ type: 'memory', attributes: { percent: 100 } })
  expect({ state, requested }).toEqual({ state: 'planned', requested: { bytes: ROOM } })
  expect(notes).toEqual(['1024 MiB were asked for: capped at 224 MiB, as 288 MiB have to stay free'])
})

test('less free memory than is safe is raised, and it is said to how much', async () => {
  const { requested, notes } = await dryRun({ type: 'memory', attributes: { leaveFreeBytes: 1 } })
  expect(requested).toEqual({ freeBytes: 288 * MIB })
  expect(notes).toEqual(['less than 288 MiB free is not safe here: so much will be left'])
})

test('a leak without an end ends where the rest has to stay free', async () => {
  const { requested } = await dryRun({ type: 'memory', attributes: { leakBytesPerSecond: MIB } })
  expect(requested).toEqual({ bytes: ROOM })
})

test('a machine with no memory to spare gives none', async () => {
  using small = FakeMachine.withMemory(GIB, 288 * MIB)
  const start = new Stressors({ machineRoot: small.root }).start({ type: 'memory', attributes: { bytes: 1 } })
  await expect(start).rejects.toMatchObject({
    code: 'stressor_refused',
    message: 'memory: there is none to take: 288 MiB of 1024 MiB are free and 288 MiB have to be',
  })
})

test('where there is no /proc, memory is refused', async () => {
  using empty = new FakeMachine()
  const start = new Stressors({ machineRoot: empty.root }).start({ type: 'memory', attributes: { bytes: 1 } })
  await expect(start).rejects.toMatchObject({ code: 'stressor_refused' })
})

test("a worker a core by default; with a quota, its load is a share of the quota's cores", async () => {
  using container = new FakeMachine({
    'proc/self/status': 'Cpus_allowed_list:\t0-3\n',
    'proc/self/cgroup': '0::/\n',
    'proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
    'sys/fs/cgroup/cpu.max': '150000 100000\n',
  })
  expect((await dryRun({ type: 'cpu' })).requested).toEqual({ workers: 2, loadPercent: 100, cpuCores: 2 })
  const limited = new Stressors({ machineRoot: container.root })
  const { requested } = await limited.start({ type: 'cpu', attributes: { load: 40 }, dryRun: true })
  expect(requested).toEqual({ workers: 2, loadPercent: 30, cpuCores: 0.6 })
})

test('more load than there are cores is told', async () => {
  const { notes } = await dryRun({ type: 'cpu', attributes: { load: 50, workers: 8 } })
  expect(notes).toEqual(["4 cores' worth is more than the 2 that can be had"])
})
