// Open files in the child: it decides how many are to be held; processes of its own hold them.
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { Machine } from '../../machine/machine.ts'
import { freeOf, shortageOf, type Supply } from '../../machine/supply.ts'
import { countToHold, requestedNow, type CountedTask } from '../counted.ts'
import { HolderProcess } from './holder-process.ts'
import { fileSupplies, MAX_HOLDERS } from './supplies.ts'

export interface FileDescriptorsTask extends CountedTask {
  /** So many one process may hold. */
  readonly perHolder: number
  /** Of {@link Machine}. */
  readonly machineRoot: string
  readonly memoryFloorBytes: number
}

class FileDescriptorsLoad implements RunningLoad {
  readonly #task: FileDescriptorsTask
  readonly #machine: Machine
  readonly #holders: HolderProcess[]
  #starting = false
  #stopping = false
  #share = 0

  constructor(task: FileDescriptorsTask, first: HolderProcess) {
    this.#task = task
    this.#machine = new Machine(task.machineRoot)
    this.#holders = [first]
  }

  ramp(share: number): void {
    this.#share = share
    const failure = this.#holders.find((holder) => holder.failure !== undefined)?.failure
    if (failure !== undefined) throw new Error(failure)
    const supplies = this.#supplies
    if (!supplies) return // breach tells
    const { perHolder } = this.#task
    const wanted = countToHold(this.#task, share, this.#held, supplies)
    const isSettled = this.#holders.every((holder) => holder.isSettled)
    this.#holders.forEach((holder, index) => {
      const part = Math.min(perHolder, Math.max(0, wanted - index * perHolder))
      // What is on its way is not counted yet: meanwhile only less may be asked for.
      holder.hold(isSettled ? part : Math.min(part, holder.wanted))
    })
    if (wanted > this.#holders.length * perHolder) void this.#addHolder()
  }

  /** What it throws ends the stressor, as an exception that nobody catches. */
  async #addHolder(): Promise<void> {
    if (this.#starting || this.#stopping || this.#holders.length >= MAX_HOLDERS) return
    this.#starting = true
    const holder = await HolderProcess.start()
    this.#holders.push(holder)
    this.#starting = false
    if (this.#stopping) await holder.end()
  }

  get #supplies(): readonly Supply[] | undefined {
    return fileSupplies(this.#machine, this.#task.memoryFloorBytes)
  }

  get #held(): number {
    return this.#holders.reduce((sum, { held }) => sum + held, 0)
  }

  /** `refused` counts, from the start, how often the system would not give another one. */
  progress(): Progress {
    const refused = this.#holders.reduce((sum, holder) => sum + holder.refused, 0)
    const freeFiles = freeOf(this.#supplies ?? [])
    return {
      requested: requestedNow('files', this.#task, this.#share),
      achieved: { files: this.#held, freeFiles, refused },
    }
  }

  breach(): string | undefined {
    const supplies = this.#supplies
    return supplies ? shortageOf(supplies) : 'the system no longer tells how many files are open'
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#holders.map((holder) => holder.end()))
  }
}

async function start(task: FileDescriptorsTask): Promise<RunningLoad> {
  const first = await HolderProcess.start()
  if (first.failure !== undefined) throw new Error(first.failure)
  return new FileDescriptorsLoad(task, first)
}

export const fileDescriptorsLoad = defineLoad<FileDescriptorsTask>({ start })
