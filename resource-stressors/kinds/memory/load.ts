// Memory pressure in the child: the main thread decides how much is to be held, a thread takes it step by step.
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { Machine } from '../../machine/machine.ts'
import type { FloorLimits } from './floor.ts'
import { Reservoir, STEP_BYTES } from './reservoir.ts'

export interface MemoryTask extends FloorLimits {
  /** null = whatever leaves `keepFreeBytes` free. */
  readonly bytes: number | null
  /** 0 = at once. */
  readonly leakBytesPerSecond: number
  /** 0 = until the end. */
  readonly holdMs: number
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

type HolderTask = Pick<MemoryTask, 'keepFreeBytes' | 'machineRoot'>

/** Slot of {@link ThreadControl.targets}: how much is to be held. */
const WANTED_BYTES = 0
/** Slot of {@link ThreadControl.figures}. */
const HELD_BYTES = 0

/** How often the thread looks whether there is more to take, or less. */
const CHECK_MS = 100
/** What was swapped out is fetched back this often. */
const TOUCH_MS = 2000

class MemoryLoad implements RunningLoad {
  readonly #task: MemoryTask
  readonly #thread: Thread
  readonly #machine: Machine
  readonly #residentBeforeBytes = process.memoryUsage.rss()
  #wantedBytes = 0
  #leakBeginMs = performance.now()
  /** Since when all is to be held. */
  #fullSinceMs: number | undefined

  constructor(task: MemoryTask, thread: Thread) {
    this.#task = task
    this.#thread = thread
    this.#machine = new Machine(task.machineRoot)
  }

  ramp(share: number): void {
    this.#wantedBytes = this.#wantedNow(share)
    this.#thread.control.targets[WANTED_BYTES] = this.#wantedBytes
    this.#thread.control.wake()
  }

  #wantedNow(share: number): number {
    const { bytes, leakBytesPerSecond, holdMs } = this.#task
    const allBytes = bytes ?? Number.MAX_SAFE_INTEGER
    const nowMs = performance.now()
    const leakedBytes = leakBytesPerSecond > 0 ? ((nowMs - this.#leakBeginMs) / 1000) * leakBytesPerSecond : Infinity
    const wantedBytes = Math.floor(Math.min(allBytes * share, leakedBytes))
    if (holdMs === 0 || wantedBytes < allBytes) return wantedBytes
    this.#fullSinceMs ??= nowMs
    if (nowMs - this.#fullSinceMs < holdMs) return wantedBytes
    if (this.#heldBytes === 0) this.#fullSinceMs = undefined // next time it begins anew
    this.#leakBeginMs = nowMs
    return 0
  }

  get #heldBytes(): number {
    return this.#thread.control.figures[HELD_BYTES] ?? 0
  }

  /** `bytes` is what was written to and not given back, `residentBytes` what the kernel counts. */
  progress(): Progress {
    const { bytes, keepFreeBytes } = this.#task
    const residentBytes = process.memoryUsage.rss() - this.#residentBeforeBytes
    const freeBytes = this.#machine.memory().availableBytes
    return {
      requested: bytes === null ? { freeBytes: keepFreeBytes } : { bytes: this.#wantedBytes },
      achieved: { bytes: this.#heldBytes, residentBytes, freeBytes },
    }
  }

  breach(): string | undefined {
    const { availableBytes } = this.#machine.memory()
    const { floorBytes } = this.#task
    if (availableBytes >= floorBytes) return undefined
    return `only ${availableBytes} bytes of memory were free, less than the floor of ${floorBytes}`
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}

async function start(task: MemoryTask, host: LoadHost<HolderTask>): Promise<RunningLoad> {
  return new MemoryLoad(task, await host.startThread(task))
}

/** Holds as much as is wanted, as far as enough stays free. */
function thread({ keepFreeBytes, machineRoot }: HolderTask, control: ThreadControl, begun: () => void): void {
  const machine = new Machine(machineRoot)
  const reservoir = new Reservoir()
  begun()
  let touchedMs = performance.now()
  while (!control.stopping) {
    const { availableBytes, swapBytes } = machine.memory()
    const spareBytes = availableBytes - keepFreeBytes
    const stepBytes = Math.min(STEP_BYTES, (control.targets[WANTED_BYTES] ?? 0) - reservoir.bytes)
    if (stepBytes < 0) reservoir.shrinkTo(reservoir.bytes + stepBytes)
    // By more than a step, or it would take and give back the same one for ever.
    else if (spareBytes < -STEP_BYTES) reservoir.shrinkTo(Math.max(0, reservoir.bytes + spareBytes))
    else if (stepBytes > 0 && stepBytes <= spareBytes) reservoir.grow(stepBytes)
    control.figures[HELD_BYTES] = reservoir.bytes
    const goesOn = stepBytes > 0 && stepBytes <= spareBytes
    if (!goesOn) control.sleep(CHECK_MS)
    if (swapBytes > 0 && performance.now() - touchedMs > TOUCH_MS) {
      reservoir.touch()
      touchedMs = performance.now()
    }
  }
  reservoir.shrinkTo(0)
  control.figures[HELD_BYTES] = 0
}

export const memoryLoad = defineLoad<MemoryTask, HolderTask>({ start, thread })
