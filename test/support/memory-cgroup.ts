// A real control group with a limit of memory, cgroups(7), where the machine lets us make one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { controlGroups } from '../../resource-stressors/machine/cgroup.ts'

const NAMES = {
  1: { limit: 'memory.limit_in_bytes', peak: 'memory.max_usage_in_bytes', used: 'memory.usage_in_bytes' },
  2: { limit: 'memory.max', peak: 'memory.peak', used: 'memory.current' },
}

export class MemoryCgroup implements AsyncDisposable {
  readonly #folder: string
  readonly #names: (typeof NAMES)[1 | 2]

  private constructor(folder: string, version: 1 | 2) {
    this.#folder = folder
    this.#names = NAMES[version]
  }

  /** Undefined where there can't be one: no rights, or a version 2 whose group can't have children that are limited. */
  static make(limitBytes: number): MemoryCgroup | undefined {
    const groups = controlGroups('/', 'memory')
    const own = groups?.folders[0]
    if (!groups || own === undefined) return undefined
    const group = new MemoryCgroup(join(own, `faultline-test-${process.pid}`), groups.version)
    try {
      mkdirSync(group.#folder)
    } catch {
      return undefined
    }
    try {
      writeFileSync(join(group.#folder, group.#names.limit), String(limitBytes))
      if (existsSync(join(group.#folder, group.#names.peak))) return group
    } catch {
      // removed below
    }
    group.#remove()
    return undefined
  }

  /** A line of shell that puts the shell into the group. */
  get enter(): string {
    return `echo $$ > '${join(this.#folder, 'cgroup.procs')}'`
  }

  /** The most that all its processes together have had at a time, with what the kernel keeps of files for them. */
  get peakBytes(): number {
    return this.#read(this.#names.peak)
  }

  get usedBytes(): number {
    return this.#read(this.#names.used)
  }

  /** Whether the kernel had to kill one of its processes. */
  get killed(): boolean {
    const files = ['memory.oom_control', 'memory.events'].map((name) => join(this.#folder, name)).filter(existsSync)
    return files.some((file) => /^oom_kill [1-9]/m.test(readFileSync(file, 'latin1')))
  }

  #read(name: string): number {
    return Number(readFileSync(join(this.#folder, name), 'latin1'))
  }

  /** Removes it, as soon as its processes are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const beginMs = performance.now(); !this.#remove(); await delay(10)) {
      if (performance.now() - beginMs > 3000) throw new Error(`${this.#folder} has processes that don't end`)
    }
  }

  #remove(): boolean {
    try {
      rmdirSync(this.#folder)
      return true
    } catch {
      return false
    }
  }
}
