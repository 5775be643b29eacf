// How many processes and threads there may be, and are: the kernel counts both as tasks, each with an id (a pid).
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { controlGroups } from './cgroup.ts'
import { numberAfter, readNumber, readText } from './files.ts'
import { resourceLimit } from './resource-limits.ts'
import { floorOf, type Supply } from './supply.ts'

/** So many ids always stay free, or 5 % if that is more: an administrator has to be able to log in. */
const MIN_FLOOR = 256
/** To count a user's tasks is to look at every process. */
const COUNT_AGAIN_MS = 1000
/** Their bits in capability(7): whoever has one is not held to RLIMIT_NPROC. */
const CAP_SYS_ADMIN = 21n
const CAP_SYS_RESOURCE = 24n

/** All limits that hold for processes that this one starts. */
export class TaskTable {
  readonly #root: string
  readonly #limits: readonly { readonly name: string; readonly limit: number }[]
  /** Of the user, if that is limited. */
  readonly #userLimit: number | undefined
  #others = 0
  #countedMs = -Infinity

  /** @param root where `proc` and `sys` are looked for */
  constructor(root: string) {
    this.#root = root
    this.#userLimit = userLimit(root)
    this.#limits = ['kernel/pid_max', 'kernel/threads-max'].flatMap((file) => {
      const limit = readNumber(join(root, 'proc/sys', file))
      return limit === undefined ? [] : [{ name: `processes and threads (${file.replace('/', '.')})`, limit }]
    })
  }

  /**
   * @param own processes of ours that are known: they need not be looked at one by one
   * @returns undefined where the system doesn't tell
   */
  supplies(own: readonly string[] = []): readonly Supply[] | undefined {
    const used = tasksOfSystem(this.#root)
    if (used === undefined || this.#limits.length === 0) return undefined
    const system = this.#limits.map(({ name, limit }) => supply(name, limit, used))
    return [...system, ...groupSupplies(this.#root), ...this.#userSupplies(own)]
  }

  #userSupplies(own: readonly string[]): Supply[] {
    if (this.#userLimit === undefined) return []
    if (performance.now() - this.#countedMs > COUNT_AGAIN_MS) {
      this.#others = tasksOfUser(this.#root, new Set(own))
      this.#countedMs = performance.now()
    }
    return [supply('processes and threads of this user (RLIMIT_NPROC)', this.#userLimit, this.#others + own.length)]
  }
}

function supply(name: string, limit: number, used: number): Supply {
  return { name, limit, used, floor: floorOf(limit, MIN_FLOOR) }
}

/** The number behind the slash in /proc/loadavg, proc_loadavg(5): all that the kernel schedules, zombies too. */
function tasksOfSystem(root: string): number | undefined {
  const used = Number(readText(join(root, 'proc/loadavg'))?.match(/\/(\d+)/)?.[1])
  return Number.isFinite(used) ? used : undefined
}

function groupSupplies(root: string): Supply[] {
  return (controlGroups(root, 'pids')?.folders ?? []).flatMap((folder) => {
    const limit = readNumber(join(folder, 'pids.max'))
    const used = readNumber(join(folder, 'pids.current'))
    return limit === undefined || used === undefined ? [] : [supply('processes and threads (pids.max)', limit, used)]
  })
}

/**
 * RLIMIT_NPROC, getrlimit(2), where it holds: not for root, nor for those with these capabilities, but for a root that is
 * one only in a namespace of its own.
 */
function userLimit(root: string): number | undefined {
  const limit = resourceLimit(root, 'processes')?.soft ?? Infinity
  if (limit === Infinity) return undefined
  const isOutermost = /^\s*0\s+0\s+4294967295\s*$/.test(readText(join(root, 'proc/self/uid_map')) ?? '')
  const status = readText(join(root, 'proc/self/status'))
  const capabilities = BigInt(`0x${status?.match(/^CapEff:\s*([\da-f]+)/m)?.[1] ?? '0'}`)
  const isFree =
    numberAfter(status, 'Uid:') === 0 || [CAP_SYS_ADMIN, CAP_SYS_RESOURCE].some((bit) => has(capabilities, bit))
  return isOutermost && isFree ? undefined : limit
}

function has(capabilities: bigint, bit: bigint): boolean {
  return ((capabilities >> bit) & 1n) === 1n
}

function tasksOfUser(root: string, known: ReadonlySet<string>): number {
  const user = numberAfter(readText(join(root, 'proc/self/status')), 'Uid:')
  const pids = readdirSync(join(root, 'proc')).filter((name) => /^\d+$/.test(name) && !known.has(name))
  const tasks = pids.map((pid) => {
    const status = readText(join(root, 'proc', pid, 'status')) // undefined: it has ended
    return numberAfter(status, 'Uid:') === user ? (numberAfter(status, 'Threads:') ?? 1) : 0
  })
  return tasks.reduce((sum, count) => sum + count, 0)
}
