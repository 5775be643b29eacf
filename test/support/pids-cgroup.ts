// A real control group with a limit of processes, where the machine lets us make one.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { controlGroups } from '../../resource-stressors/machine/cgroup.ts'

export class PidsCgroup {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Undefined where there can't be one: no rights, or a version 2 whose group can't have children that are limited. */
  static make(limit: number): PidsCgroup | undefined {
    const own = controlGroups('/', 'pids')?.folders[0]
    if (own === undefined) return undefined
    const folder = join(own, `faultline-test-${process.pid}`)
    try {
      mkdirSync(folder)
    } catch {
      return undefined
    }
    try {
      writeFileSync(join(folder, 'pids.max'), String(limit))
      return new PidsCgroup(folder)
    } catch {
      rmdirSync(folder)
      return undefined
    }
  }

  /** A line of shell that puts the shell into the group. */
  get enter(): string {
    return `echo $$ > '${join(this.#folder, 'cgroup.procs')}'`
  }

  /** Processes and threads that are in it. */
  get used(): number {
    return Number(readFileSync(join(this.#folder, 'pids.current'), 'latin1'))
  }

  /** @throws if there still are processes in it */
  remove(): void {
    rmdirSync(this.#folder)
  }
}
