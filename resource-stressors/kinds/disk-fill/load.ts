// A full disk in the child: the main thread decides how much is to be held, a thread allocates it step by step.
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { fallocateCommand } from '../../disk/allocator.ts'
import { DiskGauge, type DiskLimits } from '../../disk/floor.ts'
import { HiddenFile } from '../../disk/hidden-file.ts'

export interface DiskFillTask {
  readonly limits: DiskLimits
  /** null = whatever leaves as much free as the limits say. */
  readonly bytes: number | null
}

interface FillerTask {
  readonly limits: DiskLimits
  /** Of {@link HiddenFile}. */
  readonly allocator: readonly string[]
}

/** Slot of {@link ThreadControl.targets}: how much is to be held. */
const WANTED_BYTES = 0
/** Slot of {@link ThreadControl.figures}. */
const HELD_BYTES = 0

/** How often the thread looks whether there is more to take, or less. */
const CHECK_MS = 100
/** What others leave free again is taken when there is so much of it: it takes a program for each step. */
const RETAKE_BYTES = 2 ** 20

class DiskFillLoad implements RunningLoad {
  readonly #task: DiskFillTask
  readonly #thread: Thread
  readonly #gauge: DiskGauge
  #wantedBytes = 0

  constructor(task: DiskFillTask, thread: Thread) {
    this.#task = task
    this.#thread = thread
    this.#gauge = new DiskGauge(task.limits)
  }

  ramp(share: number): void {
    // All that there is, for a ramp as well: it is as far as the floor from here.
    const allBytes = this.#task.bytes ?? Math.max(0, this.#gauge.roomBytes()) + this.#heldBytes
    const wantedBytes = share === 1 ? (this.#task.bytes ?? Number.MAX_SAFE_INTEGER) : Math.floor(allBytes * share)
    if (wantedBytes === this.#wantedBytes) return
    this.#wantedBytes = wantedBytes
    this.#thread.control.targets[WANTED_BYTES] = wantedBytes
    this.#thread.control.wake()
  }

  get #heldBytes(): number {
    return this.#thread.control.figures[HELD_BYTES] ?? 0
  }

  /** `bytes` is what the file system counts for our file, `freeBytes` what it has left for others. */
  progress(): Progress {
    const { bytes, limits } = this.#task
    return {
      requested: bytes === null ? { freeBytes: limits.space.keepFreeBytes } : { bytes: this.#wantedBytes },
      achieved: { bytes: this.#heldBytes, freeBytes: this.#gauge.freeBytes },
    }
  }

  breach(): string | undefined {
    return this.#gauge.breach()
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}

async function start({ limits, bytes }: DiskFillTask, host: LoadHost<FillerTask>): Promise<RunningLoad> {
  const allocator = await fallocateCommand()
  return new DiskFillLoad({ limits, bytes }, await host.startThread({ limits, allocator }))
}

/** Holds as much as is wanted, as far as enough stays free. */
function thread({ limits, allocator }: FillerTask, control: ThreadControl, begun: () => void): void {
  const gauge = new DiskGauge(limits)
  const file = new HiddenFile(limits.folder, allocator)
  begun()
  let filledBytes = -1
  while (!control.stopping) {
    const wantedBytes = control.targets[WANTED_BYTES] ?? 0
    const missingBytes = wantedBytes - file.sizeBytes
    const stepBytes = Math.min(missingBytes, gauge.stepBytes())
    if (stepBytes < 0) file.shrinkTo(Math.max(0, file.sizeBytes + stepBytes))
    // What is wanted has been reached once, as far as possible.
    const again = filledBytes === wantedBytes && stepBytes < Math.min(RETAKE_BYTES, missingBytes)
    const grown = stepBytes > 0 && !again && file.allocate(stepBytes)
    control.figures[HELD_BYTES] = file.allocatedBytes
    if (grown) continue
    filledBytes = wantedBytes
    control.sleep(CHECK_MS)
  }
  file.close()
  control.figures[HELD_BYTES] = 0
}

export const diskFillLoad = defineLoad<DiskFillTask, FillerTask>({ start, thread })
