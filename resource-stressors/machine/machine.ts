// What this machine, or the container that we are in, can give: memory and CPU, with the limits of all control groups.
// Node's own figures (totalmem, availableParallelism) are the host's.
import { availableParallelism, freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { controlGroups, type ControlGroups } from './cgroup.ts'
import { numberAfter, readNumber, readText } from './files.ts'

export interface Memory {
  /** What there is at most: the machine's, or the lowest limit of a control group. */
  readonly totalBytes: number
  /** What can still be taken before the kernel runs short: MemAvailable, or the lowest headroom of a control group. */
  readonly availableBytes: number
  readonly swapBytes: number
}

export interface Cpu {
  /** Numbers of the cores that this process may run on. */
  readonly cores: readonly number[]
  /** As many cores' worth of time as it may have: a quota can be 1.5. */
  readonly usableCores: number
}

const KIB = 1024
const MIB = 1024 * KIB
/** Control groups of version 1 say "no limit" as the largest number of pages; no machine has an exbibyte. */
const UNLIMITED_BYTES = 2 ** 60

/** This much memory always stays free, or 5 % of all if that is more. */
const MIN_FLOOR_BYTES = 256 * MIB
const FLOOR_SHARE = 0.05

export class Machine {
  readonly root: string

  /** @param root where `proc` and `sys` are found; another one than `/` is for tests */
  constructor(root = '/') {
    this.root = root
  }

  /** Whether the kernel tells what is needed to take memory safely. */
  get hasProc(): boolean {
    return this.#read('proc/meminfo') !== undefined
  }

  memory(): Memory {
    const meminfo = this.#read('proc/meminfo')
    const kilobytes = (key: string): number | undefined => numberAfter(meminfo, `${key}:`)
    let totalBytes = inBytes(kilobytes('MemTotal')) ?? totalmem()
    let availableBytes = inBytes(kilobytes('MemAvailable')) ?? freemem()
    const groups = controlGroups(this.root, 'memory')
    for (const folder of groups?.folders ?? []) {
      const limitBytes = memoryLimit(groups, folder)
      if (limitBytes === undefined) continue
      totalBytes = Math.min(totalBytes, limitBytes)
      availableBytes = Math.min(availableBytes, limitBytes - memoryUsage(groups, folder))
    }
    return { totalBytes, availableBytes: Math.max(0, availableBytes), swapBytes: inBytes(kilobytes('SwapTotal')) ?? 0 }
  }

  /**
   * As {@link Memory.availableBytes}, and in control groups with pages of files that were used of late as well: before
   * programs run short, the kernel drops those too. MemAvailable counts them anyway.
   */
  availableToProgramsBytes(): number {
    let availableBytes = inBytes(numberAfter(this.#read('proc/meminfo'), 'MemAvailable:')) ?? freemem()
    const groups = controlGroups(this.root, 'memory')
    for (const folder of groups?.folders ?? []) {
      const limitBytes = memoryLimit(groups, folder)
      if (limitBytes === undefined) continue
      const inUseBytes = numberAfter(readText(join(folder, 'memory.stat')), activeFiles(groups)) ?? 0
      availableBytes = Math.min(availableBytes, limitBytes - memoryUsage(groups, folder) + inUseBytes)
    }
    return Math.max(0, availableBytes)
  }

  cpu(): Cpu {
    const allowed = this.#read('proc/self/status')?.match(/^Cpus_allowed_list:\s*(\S+)/m)?.[1]
    const cores = allowed === undefined ? range(0, availableParallelism() - 1) : parseCoreList(allowed)
    const groups = controlGroups(this.root, 'cpu')
    const quotas = (groups?.folders ?? []).map((folder) => cpuQuota(groups, folder) ?? Infinity)
    return { cores, usableCores: Math.min(cores.length, ...quotas) }
  }

  #read(path: string): string | undefined {
    return readText(join(this.root, path))
  }
}

/** What must stay free of a memory of this size. */
export function memoryFloorBytes(totalBytes: number): number {
  return Math.max(MIN_FLOOR_BYTES, Math.ceil(totalBytes * FLOOR_SHARE))
}

function inBytes(kilobytes: number | undefined): number | undefined {
  return kilobytes === undefined ? undefined : kilobytes * KIB
}

/** Above `memory.high` the kernel slows its processes down to get memory back: as good as a limit. */
function memoryLimit(groups: ControlGroups | undefined, folder: string): number | undefined {
  const names = groups?.version === 1 ? ['memory.limit_in_bytes'] : ['memory.max', 'memory.high']
  const limitBytes = Math.min(...names.map((name) => readNumber(join(folder, name)) ?? Infinity))
  return limitBytes < UNLIMITED_BYTES ? limitBytes : undefined
}

/** Without the pages of files that were not used of late: the kernel drops them first. */
function memoryUsage(groups: ControlGroups | undefined, folder: string): number {
  const [usage, inactive] =
    groups?.version === 1 ? ['memory.usage_in_bytes', 'total_inactive_file '] : ['memory.current', 'inactive_file ']
  const usedBytes = readNumber(join(folder, usage)) ?? 0
  return Math.max(0, usedBytes - (numberAfter(readText(join(folder, 'memory.stat')), inactive) ?? 0))
}

/** Pages of files that were used of late, in memory.stat. */
function activeFiles(groups: ControlGroups | undefined): string {
  return groups?.version === 1 ? 'total_active_file ' : 'active_file '
}

/** In cores. `cpu.max` is `max 100000` or `150000 100000`; version 1 says -1 for none. */
function cpuQuota(groups: ControlGroups | undefined, folder: string): number | undefined {
  const [quota, period] =
    groups?.version === 1
      ? [readNumber(join(folder, 'cpu.cfs_quota_us')), readNumber(join(folder, 'cpu.cfs_period_us'))]
      : (readText(join(folder, 'cpu.max')) ?? '').trim().split(' ').map(Number)
  return quota !== undefined && quota > 0 && period !== undefined && period > 0 ? quota / period : undefined
}

/** `0-2,5` is 0, 1, 2, 5. */
function parseCoreList(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number)
    return Number.isInteger(first) && Number.isInteger(last) ? range(first, last) : []
  })
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}
