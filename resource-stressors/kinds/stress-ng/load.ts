// stress-ng in the child: started, watched, ended, with everything that it has.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { Guard } from '../../guard/guard.ts'
import { Machine } from '../../machine/machine.ts'
import { identifyProcess, signalProcess, type ProcessIdentity } from '../../machine/process-identity.ts'
import { dyingWithParent } from '../../machine/programs.ts'
import { jobArguments, type Job } from './program.ts'
import { killSession, membersOf, type Member } from './session.ts'

export interface StressNgTask extends Job {
  /** The full path. */
  readonly program: string
  /** Where a folder for its temporary files is made. */
  readonly path: string
  /** Below this it ends. */
  readonly floorBytes: number
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

/** For its workers to be there: milliseconds on a quiet machine. */
const START_DEADLINE_MS = 10_000
const START_CHECK_MS = 10
/** Most have ended in 100 ms after SIGTERM; some take a second, to give their memory back piece by piece. */
const TERM_DEADLINE_MS = 250
/** In less time it can't be told how much of the CPU it had: the kernel counts in steps of 10 ms. */
const LEAST_REPORT_MS = 500
/** What is kept of its last words. */
const MAX_WORDS = 500

class StressNgLoad implements RunningLoad {
  readonly #task: StressNgTask
  readonly #folder: string
  readonly #guard: Guard
  readonly #process: ChildProcess
  readonly #leader: ProcessIdentity
  readonly #machine: Machine
  readonly #exited: Promise<void>
  /** How it has ended, although nobody has ended it. */
  #end: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined
  #words = ''
  #stopping = false
  #isShortOfMemory = false
  #lookedMs = performance.now()
  #cpuMs = 0
  #cpuCores = 0

  constructor(task: StressNgTask, folder: string, guard: Guard, process: ChildProcess, leader: ProcessIdentity) {
    this.#task = task
    this.#folder = folder
    this.#guard = guard
    this.#process = process
    this.#leader = leader
    this.#machine = new Machine(task.machineRoot)
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#words = (this.#words + text).slice(-MAX_WORDS)
      })
    }
    this.#exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        if (!this.#stopping) this.#end = { code, signal }
        resolve()
      })
    })
  }

  /** Resolves when its workers are there. @throws what it says if it can't */
  async begun(): Promise<void> {
    const deadlineMs = performance.now() + START_DEADLINE_MS
    while (this.#workers(membersOf(this.#leader)) < this.#task.workers) {
      if (this.#end !== undefined) throw new Error(this.#endInWords())
      if (performance.now() > deadlineMs) throw new Error(`stress-ng had no workers after ${START_DEADLINE_MS} ms`)
      await delay(START_CHECK_MS)
    }
    this.#look()
  }

  ramp(): void {
    if (this.#end !== undefined && this.#end.code !== 0) throw new Error(this.#endInWords())
  }

  finished(): string | undefined {
    return this.#end === undefined ? undefined : this.#endInWords()
  }

  #endInWords(): string {
    const how = this.#end?.signal ?? `code ${this.#end?.code}`
    const words = this.#words.trim().replaceAll(/\s*\n\s*/g, '; ')
    return `stress-ng ended with ${how}${words === '' ? '' : `: ${words}`}`
  }

  #workers(members: readonly Member[]): number {
    return members.filter(({ parentPid }) => parentPid === this.#leader.pid).length
  }

  /** @returns how many workers there are */
  #look(): number {
    const members = membersOf(this.#leader)
    const nowMs = performance.now()
    const sinceMs = nowMs - this.#lookedMs
    if (sinceMs >= LEAST_REPORT_MS) {
      const cpuMs = members.reduce((sum, member) => sum + member.cpuMs, 0)
      this.#cpuCores = Math.max(0, cpuMs - this.#cpuMs) / sinceMs
      this.#cpuMs = cpuMs
      this.#lookedMs = nowMs
    }
    return this.#workers(members)
  }

  /** `cpuCores` is what all its processes had of the CPU, of late: its own figures it tells only when it has ended. */
  progress(): Progress {
    const workers = this.#look()
    return { requested: { workers: this.#task.workers }, achieved: { workers, cpuCores: this.#cpuCores } }
  }

  breach(): string | undefined {
    const { availableBytes } = this.#machine.memory()
    const { floorBytes } = this.#task
    if (availableBytes >= floorBytes) return undefined
    this.#isShortOfMemory = true
    return `only ${availableBytes} bytes of memory were free, less than the floor of ${floorBytes}`
  }

  /** If something is left of it, the guard is not dismissed: it goes on trying. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (!this.#isShortOfMemory && signalProcess(this.#leader, 'SIGTERM')) {
      await Promise.race([this.#exited, delay(TERM_DEADLINE_MS, undefined, { ref: false })])
    }
    await killSession(this.#leader)
    this.#process.unref()
    rmSync(this.#folder, { recursive: true, force: true })
    await this.#guard.dismiss()
  }
}

async function start(task: StressNgTask): Promise<RunningLoad> {
  const folder = join(task.path, `faultline-stress-ng-${randomUUID()}`)
  const guard = new Guard()
  await guard.arm('stress-ng', { folder, leader: null })
  mkdirSync(folder, { mode: 0o700 })
  const [program, ...options] = [...(await dyingWithParent()), task.program]
  const process = spawn(program, [...options, ...jobArguments(task, folder)], {
    cwd: folder,
    // Of a session of its own: all its processes can be found, and killed at once.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const started = new Promise<void>((resolve, reject) => {
    process.once('spawn', resolve)
    process.once('error', reject)
  })
  const leader = process.pid === undefined ? undefined : identifyProcess(process.pid)
  const load = leader && new StressNgLoad(task, folder, guard, process, leader)
  await started
  if (!leader || !load) throw new Error('stress-ng ended before it began')
  await guard.arm('stress-ng', { folder, leader })
  await load.begun()
  return load
}

export const stressNgLoad = defineLoad<StressNgTask>({ start })
