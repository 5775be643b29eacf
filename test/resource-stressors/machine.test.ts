import { expect, test } from 'vitest'
import { Machine, memoryFloorBytes } from '../../resource-stressors/machine/machine.ts'
import { identifyProcess, signalProcess } from '../../resource-stressors/machine/process-identity.ts'
import { FakeMachine, meminfo, MIB } from '../support/stressors.ts'

const GIB = 1024 * MIB

/** Lines of mountinfo. */
const unified = (root = '/'): string => `30 20 0:26 ${root} /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n`
const legacy = (controller: string, root = '/'): string =>
  `31 30 0:27 ${root} /sys/fs/cgroup/${controller} rw - cgroup cgroup rw,${controller}\n`

const host = { 'proc/meminfo': meminfo(16 * GIB, 10 * GIB), 'proc/self/status': 'Cpus_allowed_list:\t0-2,5\n' }

test('without control groups, the machine is the limit', () => {
  using files = new FakeMachine(host)
  const machine = new Machine(files.root)
  expect(machine.memory()).toEqual({ totalBytes: 16 * GIB, availableBytes: 10 * GIB, swapBytes: 0 })
  expect(machine.cpu()).toEqual({ cores: [0, 1, 2, 5], usableCores: 4 })
})

test('version 2: the tightest of all groups around the process counts, without pages that can be dropped', () => {
  using files = new FakeMachine({
    ...host,
    'proc/self/cgroup': '0::/pod/container\n',
    'proc/self/mountinfo': unified(),
    'sys/fs/cgroup/pod/memory.max': `${2 * GIB}\n`,
    'sys/fs/cgroup/pod/memory.current': `${1.5 * GIB}\n`,
    'sys/fs/cgroup/pod/memory.stat': `active_file 7\ninactive_file ${0.25 * GIB}\n`,
    'sys/fs/cgroup/pod/cpu.max': '150000 100000\n',
    'sys/fs/cgroup/pod/container/memory.max': 'max\n',
    'sys/fs/cgroup/pod/container/memory.high': `${4 * GIB}\n`,
    'sys/fs/cgroup/pod/container/memory.current': `${GIB}\n`,
    'sys/fs/cgroup/pod/container/cpu.max': 'max 100000\n',
  })
  const machine = new Machine(files.root)
  expect(machine.memory()).toMatchObject({ totalBytes: 2 * GIB, availableBytes: 0.75 * GIB })
  expect(machine.cpu().usableCores).toBe(1.5)
})

test('version 1: limits and quotas of each controller, and what stands for no limit', () => {
  using files = new FakeMachine({
    ...host,
    'proc/self/cgroup': '5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n',
    'proc/self/mountinfo': legacy('memory') + legacy('cpu') + unified(),
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes': `${GIB}\n`,
    'sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes': `${0.75 * GIB}\n`,
    'sys/fs/cgroup/memory/docker/abc/memory.stat': `inactive_file 1\ntotal_inactive_file ${0.5 * GIB}\n`,
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us': '50000\n',
    'sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us': '100000\n',
  })
  const machine = new Machine(files.root)
  expect(machine.memory()).toMatchObject({ totalBytes: GIB, availableBytes: 0.75 * GIB })
  expect(machine.cpu().usableCores).toBe(0.5)
})

test('inside a container that sees only its own group, under the path that the host knows', () => {
  using files = new FakeMachine({
    ...host,
    'proc/self/cgroup': '5:memory:/docker/abc\n',
    'proc/self/mountinfo': legacy('memory', '/docker/abc'),
    'sys/fs/cgroup/memory/memory.limit_in_bytes': `${GIB}\n`,
    'sys/fs/cgroup/memory/memory.usage_in_bytes': `${0.5 * GIB}\n`,
  })
  expect(new Machine(files.root).memory()).toMatchObject({ totalBytes: GIB, availableBytes: 0.5 * GIB })
})

test('the floor is 256 MiB, or 5 % of a large machine', () => {
  expect(memoryFloorBytes(GIB)).toBe(256 * MIB)
  expect(memoryFloorBytes(100 * GIB)).toBe(5 * GIB)
})

test('a process of the same number and another start time gets no signal', () => {
  const self = identifyProcess(process.pid)!
  expect(signalProcess({ ...self, started: `${self.started}0` }, 'SIGKILL')).toBe(false)
  // Signal 0 only asks, kill(2).
  expect(signalProcess(self, 0 as unknown as NodeJS.Signals)).toBe(true)
})
