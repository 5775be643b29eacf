// Inodes in the child: the main thread says how far the ramp is, a thread makes and removes files.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { Guard } from '../../guard/guard.ts'
import { Machine } from '../../machine/machine.ts'
import { freeOf, shortageOf, spareOf, type Supply } from '../../machine/supply.ts'
import { countToHold, requestedNow, type CountedTask } from '../counted.ts'
import { InodeFolder, removeFolder } from './folder.ts'
import { inodeSupplies, type InodeFloors } from './supplies.ts'

export interface InodesTask extends CountedTask, InodeFloors {
  /** Where a folder is made. */
  readonly path: string
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

interface MakerTask extends InodesTask {
  /** The one with the files. */
  readonly folder: string
}

/** Slot of {@link ThreadControl.targets}: the share of all that is asked for now, 0 to 1. */
const SHARE = 0
/** Slot of {@link ThreadControl.figures}. */
const HELD = 0

/** Made between two looks at what is left, at most: some milliseconds, on a busy disk a tenth of a second. */
const MAX_STEP = 250
/** As many stressors may be looking at the same disk, before any of them takes what it sees. */
const MAX_COMPETITORS = 32
/** How often the thread looks whether there is more to take, or less. */
const CHECK_MS = 100

class InodesLoad implements RunningLoad {
  readonly #task: InodesTask
  readonly #thread: Thread
  readonly #guard: Guard
  readonly #machine: Machine
  #share = 0

  constructor(task: InodesTask, thread: Thread, guard: Guard) {
    this.#task = task
    this.#thread = thread
    this.#guard = guard
    this.#machine = new Machine(task.machineRoot)
  }

  ramp(share: number): void {
    if (share === this.#share) return
    this.#share = share
    this.#thread.control.targets[SHARE] = share
    this.#thread.control.wake()
  }

  get #supplies(): readonly Supply[] {
    return inodeSupplies(this.#task.path, this.#machine, this.#task)
  }

  progress(): Progress {
    return {
      requested: requestedNow('inodes', this.#task, this.#share),
      achieved: { inodes: this.#thread.control.figures[HELD] ?? 0, freeInodes: freeOf(this.#supplies) },
    }
  }

  breach(): string | undefined {
    return shortageOf(this.#supplies)
  }

  /** If the thread can't remove all, the guard is not dismissed: it goes on trying. */
  async stop(): Promise<void> {
    await this.#thread.stop()
    await this.#guard.dismiss()
  }
}

async function start(task: InodesTask, host: LoadHost<MakerTask>): Promise<RunningLoad> {
  const folder = join(task.path, `faultline-inodes-${randomUUID()}`)
  const guard = new Guard()
  await guard.arm('inodes', folder)
  return new InodesLoad(task, await host.startThread({ ...task, folder }), guard)
}

/** Has as many as are wanted, as far as enough stay free. */
function thread(task: MakerTask, control: ThreadControl, begun: () => void): void {
  const machine = new Machine(task.machineRoot)
  const folder = new InodeFolder(task.folder)
  begun()
  while (!control.stopping) {
    const supplies = inodeSupplies(task.path, machine, task)
    const missing = countToHold(task, control.targets[SHARE] ?? 0, folder.inodes, supplies) - folder.inodes
    if (missing < 0) folder.remove(-missing)
    const mostNow = Math.max(1, Math.floor(spareOf(supplies, task.leaveFree) / MAX_COMPETITORS))
    const goesOn = missing > 0 && folder.add(Math.min(missing, MAX_STEP, mostNow))
    control.figures[HELD] = folder.inodes
    if (!goesOn) control.sleep(CHECK_MS)
  }
  removeFolder(task.folder)
  control.figures[HELD] = 0
}

export const inodesLoad = defineLoad<InodesTask, MakerTask>({ start, thread })
