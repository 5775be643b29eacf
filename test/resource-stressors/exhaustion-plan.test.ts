// What stressors refuse that use things up, what they cap, and what a dry run says: no process is started here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Stressors, type Stressor } from '../../resource-stressors/index.ts'
import { TaskTable } from '../../resource-stressors/machine/tasks.ts'
import { FakeMachine, MIB } from '../support/stressors.ts'

/** A machine of so many open files, 20,000 for each process, and 10,000 processes. */
function machineWith(fileNumbers: string, filesEach = 20_256): FakeMachine {
  const machine = FakeMachine.withMemory(2 ** 34, 2 ** 34)
  machine.write('proc/sys/fs/file-nr', fileNumbers)
  machine.write('proc/self/limits', `Max open files            100                 ${filesEach}                files\n`)
  machine.write('proc/loadavg', '0.1 0.1 0.1 2/400 4711\n')
  machine.write('proc/sys/kernel/pid_max', '10000\n')
  return machine
}

const FOLDER = mkdtempSync('/var/tmp/faultline-plan-')
const FILE = join(FOLDER, 'file')
writeFileSync(FILE, Buffer.alloc(2 * MIB))
afterAll(() => rmSync(FOLDER, { recursive: true }))

const machine = machineWith('1000\t0\t100000\n')
afterAll(() => machine[Symbol.dispose]())

function plan(type: string, attributes: Record<string, unknown>, on = machine): Promise<Stressor> {
  return new Stressors({ machineRoot: on.root }).start({ type, attributes, dryRun: true })
}

const REFUSED: readonly [type: string, attributes: Record<string, unknown>, message: string][] = [
  ['connections', { count: 1 }, 'attributes.target: missing, expected a non-empty string'],
  ['connections', { target: 'x:1' }, 'attributes.count: missing'],
  ['connections', { target: 'nowhere', count: 1 }, 'attributes.target: expected host:port, got address nowhere'],
  ['connections', { target: ':80', count: 1 }, 'attributes.target: expected host:port with a host'],
  ['connections', { target: 'x:0', count: 1 }, 'attributes.target: expected host:port with a host and a port from 1'],
  ['connections', { target: 'x:1', count: 0 }, 'attributes.count: expected an integer from 1'],
  [
    'connections',
    { target: 'x:1', count: 1e9 },
    'attributes.count: expected an integer from 1 to 1000000, got 1000000',
  ],
  ['connections', { target: 'x:1', count: 1, perSecond: 0 }, 'attributes.perSecond: expected a number from 0.01'],
  [
    'connections',
    { target: 'x:1', count: 1, maxOpening: 0 },
    'attributes.maxOpening: expected an integer from 1 to 1000',
  ],
  [
    'connections',
    { target: 'x:1', count: 1, endWith: 'EOF' },
    'attributes.endWith: expected "RST" or "FIN", got "EOF"',
  ],
  [
    'connections',
    { target: 'x:1', count: 1, repoen: true },
    'attributes.repoen: unknown field (did you mean "reopen"?)',
  ],
  ['file-descriptors', {}, 'attributes.count: expected count or leaveFree, got nothing'],
  ['file-descriptors', { count: 1, leaveFree: 1 }, 'attributes.leaveFree: expected nothing beside count, got 1'],
  ['file-descriptors', { count: 0 }, 'attributes.count: expected an integer ≥ 1, got 0'],
  ['file-descriptors', { count: 1.5 }, 'attributes.count: expected an integer ≥ 1, got 1.5'],
  ['file-descriptors', { leaveFree: -1 }, 'attributes.leaveFree: expected an integer ≥ 1, got -1'],
  ['file-descriptors', { leaveFree: 1e5 }, 'attributes.leaveFree: expected less than 100000, all the open files (fs.'],
  ['file-descriptors', { leavefree: 1 }, 'attributes.leavefree: unknown field (did you mean "leaveFree"?)'],
  ['processes', {}, 'attributes.count: expected count or leaveFree, got nothing'],
  ['processes', { count: 1, leaveFree: 1 }, 'attributes.leaveFree: expected nothing beside count, got 1'],
  ['processes', { count: '5' }, 'attributes.count: expected an integer ≥ 1, got "5"'],
  ['processes', { leaveFree: 10_000 }, 'attributes.leaveFree: expected less than 10000, all the processes and threads'],
  ['page-cache', {}, 'attributes.bytes: expected bytes, percent or source, got nothing'],
  ['page-cache', { bytes: 1, percent: 1 }, 'attributes.percent: expected nothing beside bytes, got 1'],
  ['page-cache', { bytes: 0 }, 'attributes.bytes: expected an integer ≥ 1, got 0'],
  ['page-cache', { percent: 200 }, 'attributes.percent: expected a number from 0 to 100, got 200'],
  ['page-cache', { bytes: 1, rereadMs: 0 }, 'attributes.rereadMs: expected an integer from 1000 to 600000, got 0'],
  ['page-cache', { bytes: 1, path: 'here' }, 'attributes.path: expected an absolute path, got "here"'],
  ['page-cache', { bytes: 1, path: '/none' }, 'attributes.path: expected a folder that is there, got "/none" (ENOENT)'],
  ['page-cache', { bytes: 1, path: FILE }, 'attributes.path: expected a folder, got'],
  [
    'page-cache',
    { bytes: 1, path: '/dev/shm' },
    'attributes.path: expected a folder on a disk: what is in memory anyway',
  ],
  ['page-cache', { path: '/tmp', source: FILE }, 'attributes.path: expected nothing beside source, got "/tmp"'],
  ['page-cache', { source: 'here' }, 'attributes.source: expected an absolute path, got "here"'],
  [
    'page-cache',
    { source: '/none' },
    'attributes.source: expected a file or folder that can be read, got "/none" (ENO',
  ],
  ['page-cache', { source: '/dev/null' }, 'attributes.source: expected a file with content, or a folder with one, got'],
]

test.each(REFUSED)('%s with %j is refused', async (type, attributes, message) => {
  await expect(plan(type, attributes)).rejects.toThrow(message)
})

test('connections: at most as many as a process may have files, and as the floor leaves', async () => {
  using small = machineWith('1000\t0\t100000\n', 1256)
  const ask = { target: 'x:1', count: 5000 }
  const files = await plan('connections', ask, small)
  expect(files.requested).toEqual({ connections: 1000 })
  expect(files.notes).toEqual([
    '5000 were asked for: capped at 1000 by the files that a process may open (RLIMIT_NOFILE)',
  ])
  small.write('proc/sys/fs/file-nr', '93500\t0\t100000\n')
  const floor = await plan('connections', ask, small)
  expect(floor.requested).toEqual({ connections: 500 }) // 5 % are the floor, and 1 % more stays free
  expect(floor.notes).toEqual(['5000 were asked for: capped at 500 by what has to stay free'])
  small.write('proc/sys/fs/file-nr', '99000\t0\t100000\n')
  await expect(plan('connections', ask, small)).rejects.toMatchObject({ code: 'stressor_refused' })
})

test('open files: at most as many as its processes may have; at least as many left as is safe', async () => {
  using small = machineWith('1000\t0\t1000000\n', 1256)
  const capped = await plan('file-descriptors', { count: 20_000 }, small)
  expect(capped.requested).toEqual({ files: 16_000 })
  expect(capped.notes).toEqual([
    '20000 were asked for: capped at 16000, as 16 processes hold them, each at most 1000 (RLIMIT_NOFILE)',
  ])
  const tooMany = 'attributes.leaveFree: expected at least 983000, as 16 processes hold them, each at most 1000'
  await expect(plan('file-descriptors', { leaveFree: 70_000 }, small)).rejects.toThrow(tooMany)
  const rest = await plan('file-descriptors', { leaveFree: 70_000 })
  expect(rest).toMatchObject({ requested: { freeFiles: 70_000 }, notes: [] })
  const low = await plan('file-descriptors', { leaveFree: 5 })
  expect(low).toMatchObject({
    requested: { freeFiles: 6000 },
    notes: ['less than 6000 free is not safe here: so many will be left'],
  })
  const much = await plan('file-descriptors', { leaveFree: 99_500 })
  expect(much.notes).toEqual(['there are only 99000 free: none is taken before there are more'])
})

test('no more of anything than can be given back within a second', async () => {
  const why = 'as more could not be given back within a second'
  using large = machineWith('1000\t0\t10000000\n', 1_000_256)
  large.write('proc/sys/kernel/pid_max', '4194304\n')
  for (const [type, attributes, requested] of [
    ['processes', {}, { processes: 5000 }],
    ['file-descriptors', {}, { files: 500_000 }],
    ['connections', { target: 'x:1' }, { connections: 10_000 }],
  ] as const) {
    const capped = await plan(type, { ...attributes, count: 1_000_000 }, large)
    expect(capped.requested).toEqual(requested)
    expect(capped.notes).toEqual([expect.stringContaining(why)])
  }
  const refused = plan('processes', { leaveFree: 50_000 }, large)
  await expect(refused).rejects.toThrow(
    RegExp(String.raw`attributes\.leaveFree: expected at least \d+, ${why}, got 50000`),
  )
})

test('open files: of a system without a limit, or that tells nothing, or that has none to spare', async () => {
  using endless = machineWith(`1000\t0\t${2n ** 63n - 1n}\n`)
  const expected = 'attributes.leaveFree: expected count: this system has no limit of open files (fs.file-max), got 5'
  await expect(plan('file-descriptors', { leaveFree: 5 }, endless)).rejects.toThrow(expected)
  expect((await plan('file-descriptors', { count: 500 }, endless)).requested).toEqual({ files: 500 })
  using silent = machineWith('')
  await expect(plan('file-descriptors', { count: 1 }, silent)).rejects.toMatchObject({ code: 'stressor_refused' })
  using full = machineWith('95000\t0\t100000\n')
  const none = 'files: there are none to take: 5000 of 100000 open files (fs.file-max) are free and 6000 have to be'
  await expect(plan('file-descriptors', { count: 1 }, full)).rejects.toThrow(none)
})

test('processes: fewer, or none, where ids or memory are short', async () => {
  using small = FakeMachine.withMemory(2 ** 30, 2 ** 29)
  await expect(plan('processes', { count: 1 }, small)).rejects.toMatchObject({ code: 'stressor_refused' }) // it tells nothing
  small.write('proc/loadavg', '0.1 0.1 0.1 2/400 4711\n')
  small.write('proc/sys/kernel/pid_max', '30000\n')
  const { notes } = await plan('processes', { count: 20_000 }, small)
  expect(notes).toEqual([expect.stringContaining('processes that memory suffices for have to stay free')])
  small.write('proc/sys/kernel/pid_max', '600\n') // the floor of 256 counts, and 16 more
  small.write('proc/loadavg', '0.1 0.1 0.1 2/330 4711\n')
  const none = '270 of 600 processes and threads (kernel.pid_max) are free and 272 have to be'
  await expect(plan('processes', { count: 1 }, small)).rejects.toThrow(none)
})

test('processes: all limits that hold for one', () => {
  using small = new FakeMachine({
    'proc/loadavg': '0.1 0.1 0.1 2/400 4711\n',
    'proc/sys/kernel/pid_max': '32768\n',
    'proc/sys/kernel/threads-max': '20000\n',
    'proc/self/cgroup': '0::/pod\n',
    'proc/self/mountinfo': '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
    'sys/fs/cgroup/pod/pids.max': '2000\n',
    'sys/fs/cgroup/pod/pids.current': '30\n',
    'proc/self/limits': 'Max processes             1000                 unlimited            processes \n',
    'proc/self/uid_map': '         0          0 4294967295\n',
    'proc/self/status': 'Uid:\t1000\t1000\nCapEff:\t0000000000000000\n',
    'proc/5/status': 'Uid:\t1000\t1000\nThreads:\t11\n',
    'proc/6/status': 'Uid:\t1000\t1000\nThreads:\t1\n',
    'proc/7/status': 'Uid:\t0\t0\nThreads:\t70\n',
  })
  const limits = (): unknown =>
    new TaskTable(small.root).supplies(['6'])!.map(({ limit, used, floor }) => [limit, used, floor])
  const system = [
    [32_768, 400, 1639],
    [20_000, 400, 1000],
    [2000, 30, 256],
  ]
  expect(limits()).toEqual([...system, [1000, 12, 256]])
  small.write('proc/self/status', 'Uid:\t1000\t1000\nCapEff:\t0000000001000000\n') // CAP_SYS_RESOURCE
  expect(limits()).toEqual(system)
  small.write('proc/self/uid_map', '         0     100000      65536\n') // worth nothing outside
  expect(limits()).toEqual([...system, [1000, 12, 256]])
})

test('page cache: not more than programs leave, or than there is to read; none near the floor', async () => {
  using small = FakeMachine.withMemory(1024 * MIB, 512 * MIB)
  const percent = await plan('page-cache', { percent: 100, path: FOLDER }, small)
  expect(percent.requested).toEqual({ cachedBytes: 512 * MIB })
  expect(percent.notes[0]).toBe('1024 MiB were asked for: capped at 512 MiB, as programs have the rest')
  const short = await plan('page-cache', { source: FILE, bytes: 3 * MIB }, small)
  expect(short.requested).toEqual({ cachedBytes: 2 * MIB })
  expect(short.notes[0]).toBe('3 MiB were asked for: capped at 2 MiB, which is all that source has')
  small.write('proc/self/cgroup', '0::/pod\n')
  small.write('proc/self/mountinfo', '30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n')
  small.write('sys/fs/cgroup/pod/memory.max', `${600 * MIB}\n`)
  small.write('sys/fs/cgroup/pod/memory.current', `${500 * MIB}\n`)
  small.write('sys/fs/cgroup/pod/memory.stat', `inactive_file ${100 * MIB}\nactive_file ${110 * MIB}\n`)
  const contained = await plan('page-cache', { percent: 100, path: FOLDER }, small)
  expect(contained.requested).toEqual({ cachedBytes: 310 * MIB })
  small.setMemory(1024 * MIB, 288 * MIB)
  await expect(plan('page-cache', { bytes: 1, path: FOLDER }, small)).rejects.toMatchObject({
    code: 'stressor_refused',
    message: 'page-cache: there is no memory for it: 288 MiB of 600 MiB are available and 288 MiB have to be',
  })
})
