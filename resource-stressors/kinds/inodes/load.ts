// Inodes in the child: the main thread says how far the ramp is, a thread makes files, and in the end several remove them.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { defineLoad, type LoadHost, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { ThreadControl } from '../../child/thread-control.ts'
import type { Thread } from '../../child/threads.ts'
import { Guard } from '../../guard/guard.ts'
import { hurry } from '../../machine/hurry.ts'
import { Machine } from '../../machine/machine.ts'
import { freeOf, shortageOf, spareOf, type Supply } from '../../machine/supply.ts'
import { countToHold, requestedNow, type CountedTask } from '../counted.ts'
import { InodeFolder, removeFolder, removePart } from './folder.ts'
import { inodeSupplies, type InodeFloors } from './supplies.ts'

export interface InodesTask extends CountedTask, InodeFloors {
  /** Where a folder is made. */
  readonly path: string
  /** So many threads remove files at the end, each in a folder of its own. */
  readonly removers: number
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

interface MakerTask extends InodesTask {
  readonly role: 'maker'
  /** The one with the files. */
  readonly folder: string
}

/** It waits to be stopped, and removes a part of the folder then. */
interface RemoverTask {
  readonly role: 'remover'
  readonly folder: string
  readonly part: number
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
/** For what waits to be woken up. */
const LONG_MS = 60_000

class InodesLoad implements RunningLoad {
  readonly #task: InodesTask
  readonly #folder: string
  readonly #maker: Thread
  readonly #removers: readonly Thread[]
  readonly #guard: Guard
  readonly #machine: Machine
  #share = 0

  constructor(task: MakerTask, maker: Thread, removers: readonly Thread[], guard: Guard) {
    this.#task = task
    this.#folder = task.folder
    this.#maker = maker
    this.#removers = removers
    this.#guard = guard
    this.#machine = new Machine(task.machineRoot)
  }

  ramp(share: number): void {
    if (share === this.#share) return
    this.#share = share
    this.#maker.control.targets[SHARE] = share
    this.#maker.control.wake()
  }

  get #supplies(): readonly Supply[] {
    return inodeSupplies(this.#task.path, this.#machine, this.#task)
  }

  progress(): Progress {
    return {
      requested: requestedNow('inodes', this.#task, this.#share),
      achieved: { inodes: this.#maker.control.figures[HELD] ?? 0, freeInodes: freeOf(this.#supplies) },
    }
  }

  breach(): string | undefined {
    return shortageOf(this.#supplies)
  }

  /** If the threads can't remove all, the guard is not dismissed: it goes on trying. */
  async stop(): Promise<void> {
    await this.#maker.stop() // before the others: what is made meanwhile they would miss
    await Promise.all(this.#removers.map((remover) => remover.stop()))
    removeFolder(this.#folder)
    await this.#guard.dismiss()
  }
}

async function start(task: InodesTask, host: LoadHost<MakerTask | RemoverTask>): Promise<RunningLoad> {
  const folder = join(task.path, `faultline-inodes-${randomUUID()}`)
  const guard = new Guard()
  await guard.arm('inodes', folder)
  const parts = Array.from({ length: task.removers }, (_, part) => part)
  // Ahead of time, as a thread takes long to start.
  const removers = await Promise.all(parts.map((part) => host.startThread({ role: 'remover', folder, part })))
  const makerTask: MakerTask = { ...task, role: 'maker', folder }
  return new InodesLoad(makerTask, await host.startThread(makerTask), removers, guard)
}

function thread(task: MakerTask | RemoverTask, control: ThreadControl, begun: () => void): void {
  if (task.role === 'maker') make(task, control, begun)
  else remove(task, control, begun)
}

function remove({ folder, part }: RemoverTask, control: ThreadControl, begun: () => void): void {
  begun()
  while (!control.stopping) control.sleep(LONG_MS)
  hurry()
  removePart(folder, part)
}

/** Has as many as are wanted, as far as enough stay free. */
function make(task: MakerTask, control: ThreadControl, begun: () => void): void {
  const machine = new Machine(task.machineRoot)
  const folder = new InodeFolder(task.folder, task.removers)
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
}

export const inodesLoad = defineLoad<InodesTask, MakerTask | RemoverTask>({ start, thread })
