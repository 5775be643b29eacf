// CPU load in the child: each worker burns its share of every slice of time, and learns from the kernel what it really had.
import { execFileSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { threadCpuMeter } from './thread-cpu.ts'

export interface CpuTask {
  readonly workers: number
  /** Of one worker. */
  readonly loadPercent: number
  /** Cores that the workers are bound to, in turns; empty = where the kernel puts them. */
  readonly cores: readonly number[]
}

interface WorkerTask {
  readonly core: number | undefined
  /** Workers begin their slices one after the other, or all would burn and rest at the same time. */
  readonly phase: number
}

/** Short enough that services feel it as load and not as pauses, long enough for sleep and wake-up to cost nothing. */
const SLICE_MS = 50
/** Between two looks at the clock passes a microsecond; more than this, and someone else had the core meanwhile. */
const PREEMPTED_MS = 0.1
/** A report at the end may come right after the last one: in less time it can't be told how busy a core was. */
const LEAST_REPORT_MS = 500
/** The slot of {@link ThreadControl.targets} with the share of its core that a worker is to have, 0 to 1. */
const SHARE = 0
/** The slot with the CPU time in milliseconds that the main thread has had, as far as it is this worker's to make up for. */
const OVERHEAD_MS = 1
/** The slot of {@link ThreadControl.figures} with what was computed. */
const SINK = 0

class CpuLoad implements RunningLoad {
  readonly #task: CpuTask
  readonly #threads: readonly Thread[]
  readonly #ownCpu = threadCpuMeter()
  readonly #ownBeforeMs = this.#ownCpu() ?? 0
  #share = 0
  #begin = measure()
  #last = this.#begin
  #loadPercent: number | undefined

  constructor(task: CpuTask, threads: readonly Thread[]) {
    this.#task = task
    this.#threads = threads
  }

  ramp(share: number): void {
    this.#tellOverhead()
    if (share === this.#share) return
    this.#share = share
    for (const { control } of this.#threads) {
      control.targets[SHARE] = (share * this.#task.loadPercent) / 100
      control.wake()
    }
    if (share < 1) return
    // The average is that of the full load: a ramp is over at 1.
    this.#begin = this.#last = measure()
    this.#loadPercent = undefined
  }

  /** What this thread needs for itself is load as well: some tenths of a percent, which the workers leave out. */
  #tellOverhead(): void {
    const overheadMs = (this.#ownCpu() ?? 0) - this.#ownBeforeMs
    for (const { control } of this.#threads) control.targets[OVERHEAD_MS] = overheadMs / this.#task.workers
  }

  /**
   * `loadPercent` of the time since the last report, if that is long enough to say something; `averageLoadPercent` since
   * the full load was asked for.
   */
  progress(): Progress {
    const now = measure()
    if (this.#loadPercent === undefined || now.timeMs - this.#last.timeMs >= LEAST_REPORT_MS) {
      this.#loadPercent = this.#percent(this.#last, now)
      this.#last = now
    }
    const loadPercent = this.#loadPercent
    const averageLoadPercent = this.#percent(this.#begin, now)
    const { workers } = this.#task
    const requestedPercent = this.#task.loadPercent * this.#share
    return {
      requested: { workers, loadPercent: requestedPercent, cpuCores: coresOf(workers, requestedPercent) },
      achieved: { workers, loadPercent, cpuCores: coresOf(workers, loadPercent), averageLoadPercent },
    }
  }

  #percent(from: Measurement, to: Measurement): number {
    const timeMs = to.timeMs - from.timeMs
    const percent = timeMs > 0 ? ((to.cpuMs - from.cpuMs) / timeMs / this.#task.workers) * 100 : 0
    return Math.round(percent * 100) / 100
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()))
  }
}

/** Without the tail that the product of two fractions has. */
function coresOf(workers: number, loadPercent: number): number {
  return Math.round(workers * loadPercent * 100) / 10_000
}

interface Measurement {
  readonly timeMs: number
  /** Of all threads of this process: what the machine loses, whoever of us has it. */
  readonly cpuMs: number
}

function measure(): Measurement {
  const { user, system } = process.cpuUsage()
  return { timeMs: performance.now(), cpuMs: (user + system) / 1000 }
}

async function start(task: CpuTask, host: LoadHost<WorkerTask>): Promise<RunningLoad> {
  const indexes = Array.from({ length: task.workers }, (_, index) => index)
  const threads = indexes.map((index) =>
    host.startThread({ core: task.cores[index % task.cores.length], phase: (index + 1) / task.workers }),
  )
  return new CpuLoad(task, await Promise.all(threads))
}

/** What a worker does. */
function thread({ core, phase }: WorkerTask, control: ThreadControl, begun: () => void): void {
  if (core !== undefined) bindToCore(core)
  begun()
  const meter = threadCpuMeter()
  let usedMs = meter()
  /** CPU time that is due and was not had; below 0: had too early. */
  let debtMs = 0
  let beginMs = performance.now()
  let endMs = beginMs + phase * SLICE_MS
  let overheadMs = 0
  while (!control.stopping) {
    const share = control.targets[SHARE] ?? 0
    const nowOverheadMs = control.targets[OVERHEAD_MS] ?? 0
    debtMs -= nowOverheadMs - overheadMs
    overheadMs = nowOverheadMs
    const burntMs = burn(debtMs + share * (endMs - beginMs), endMs, control)
    control.sleep(endMs - performance.now())
    const nowMs = performance.now()
    // The kernel's count of a thread that runs is up to date when it has just slept.
    const nowUsedMs = meter()
    const hadMs = nowUsedMs === undefined || usedMs === undefined ? burntMs : nowUsedMs - usedMs
    // What others have withheld is made up for, but never more than a slice: no long burst after a long wait.
    debtMs = Math.max(-SLICE_MS, Math.min(SLICE_MS, debtMs + share * (nowMs - beginMs) - hadMs))
    usedMs = nowUsedMs
    beginMs = nowMs
    while (endMs <= nowMs) endMs += SLICE_MS
  }
}

/**
 * Computes for so long, not counting the time in which others had the core; ends early at `endMs`, or when told to stop.
 *
 * @returns for how long
 */
function burn(forMs: number, endMs: number, control: ThreadControl): number {
  let leftMs = forMs
  let lastMs = performance.now()
  while (leftMs > 0 && lastMs < endMs && !control.stopping) {
    control.figures[SINK] = compute(control.figures[SINK] ?? 0)
    const nowMs = performance.now()
    if (nowMs - lastMs < PREEMPTED_MS) leftMs -= nowMs - lastMs
    lastMs = nowMs
  }
  return Math.max(0, forMs - leftMs)
}

/** Some hundred nanoseconds of work, with a result that somebody could ask for: else it might be optimised away. */
function compute(seed: number): number {
  let value = seed
  for (let round = 0; round < 100; round++) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0
  return value
}

/** Node can't bind a thread to a core. The definition has checked that taskset is there. */
function bindToCore(core: number): void {
  const id = readlinkSync('/proc/thread-self').split('/').at(-1) ?? ''
  execFileSync('taskset', ['-cp', String(core), id], { stdio: ['ignore', 'ignore', 'pipe'] })
}

export const cpuLoad = defineLoad<CpuTask, WorkerTask>({ start, thread })
