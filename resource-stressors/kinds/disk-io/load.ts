// Disk traffic in the child: the main thread sets the rate and counts what was done, workers do it.
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { Thread } from '../../child/threads.ts'
import type { Figures } from '../../definition.ts'
import { fallocateCommand } from '../../disk/allocator.ts'
import { DiskGauge } from '../../disk/floor.ts'
import { BYTES, OPERATIONS, OPERATIONS_PER_SECOND, work, type WorkerTask } from './worker.ts'

export interface DiskIoTask extends Omit<WorkerTask, 'head' | 'allocator'> {
  /** Of all workers together. */
  readonly operationsPerSecond: number
}

/** A report at the end may come right after the last one. */
const LEAST_SECONDS = 0.5

class DiskIoLoad implements RunningLoad {
  readonly #task: DiskIoTask
  readonly #threads: readonly Thread[]
  readonly #gauge: DiskGauge
  #share = 0
  #last: Measurement
  #achieved: Figures | undefined

  constructor(task: DiskIoTask, threads: readonly Thread[]) {
    this.#task = task
    this.#threads = threads
    this.#gauge = new DiskGauge(task.limits)
    this.#last = this.#measure()
  }

  ramp(share: number): void {
    if (share === this.#share) return
    this.#share = share
    for (const { control } of this.#threads) {
      control.targets[OPERATIONS_PER_SECOND] = (share * this.#task.operationsPerSecond) / this.#task.workers
      control.wake()
    }
  }

  /** What was achieved is of the time since the last report, if that is long enough to say something. */
  progress(): Progress {
    const last = this.#last
    const now = this.#measure()
    const seconds = (now.timeMs - last.timeMs) / 1000
    if (seconds >= LEAST_SECONDS || this.#achieved === undefined) {
      this.#last = now
      this.#achieved = figures((now.bytes - last.bytes) / seconds, (now.operations - last.operations) / seconds)
    }
    const operationsPerSecond = this.#share * this.#task.operationsPerSecond
    const requested = figures(operationsPerSecond * this.#task.blockBytes, operationsPerSecond)
    return { requested, achieved: this.#achieved }
  }

  #measure(): Measurement {
    const sum = (slot: number): number =>
      this.#threads.reduce((total, { control }) => total + (control.figures[slot] ?? 0), 0)
    return { timeMs: performance.now(), bytes: sum(BYTES), operations: sum(OPERATIONS) }
  }

  breach(): string | undefined {
    return this.#gauge.breach()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.stop()))
  }
}

interface Measurement {
  readonly timeMs: number
  readonly bytes: number
  readonly operations: number
}

function figures(bytesPerSecond: number, operationsPerSecond: number): Figures {
  return {
    bytesPerSecond: Math.round(bytesPerSecond),
    operationsPerSecond: Math.round(operationsPerSecond * 100) / 100,
  }
}

async function start(task: DiskIoTask, host: LoadHost<WorkerTask>): Promise<RunningLoad> {
  const { operationsPerSecond: _all, ...common } = task
  const allocator = await fallocateCommand()
  const heads = Array.from({ length: task.workers }, (_, index) => (index + 1) / task.workers)
  const threads = heads.map((head) => host.startThread({ ...common, head, allocator }))
  return new DiskIoLoad(task, await Promise.all(threads))
}

export const diskIoLoad = defineLoad<DiskIoTask, WorkerTask>({ start, thread: work })
