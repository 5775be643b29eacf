// Sleeping processes in the child: it decides how many there are to be, a shell has them.
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { Machine } from '../../machine/machine.ts'
import { freeOf, shortageOf, type Supply } from '../../machine/supply.ts'
import { TaskTable } from '../../machine/tasks.ts'
import { countToHold, requestedNow, type CountedTask } from '../counted.ts'
import { Nursery } from './nursery.ts'
import { processSupplies } from './supplies.ts'

export interface ProcessesTask extends CountedTask {
  /** Of {@link Machine}. */
  readonly machineRoot: string
  readonly memoryFloorBytes: number
}

/** Started between two looks at what is left: a tenth of a second's worth. */
const STEP = 500

class ProcessesLoad implements RunningLoad {
  readonly #task: ProcessesTask
  readonly #machine: Machine
  readonly #table: TaskTable
  readonly #nursery = new Nursery()
  #share = 0
  #pids = this.#nursery.pids
  #supplies: readonly Supply[] | undefined

  constructor(task: ProcessesTask) {
    this.#task = task
    this.#machine = new Machine(task.machineRoot)
    this.#table = new TaskTable(task.machineRoot)
    this.#look()
  }

  #look(): void {
    this.#pids = this.#nursery.pids
    this.#supplies = processSupplies(this.#machine, this.#table, this.#task.memoryFloorBytes, this.#pids)
  }

  ramp(share: number): void {
    this.#share = share
    this.#look()
    const { failure } = this.#nursery
    if (failure !== undefined) throw new Error(failure)
    if (!this.#supplies || !this.#nursery.isSettled()) return // breach tells, or the next time is soon
    const missing = countToHold(this.#task, share, this.#pids.length, this.#supplies) - this.#pids.length
    if (missing > 0) this.#nursery.add(Math.min(missing, STEP))
    // The shell itself is one of them.
    else if (missing < 0 && this.#pids.length > 1) this.#nursery.remove(Math.min(-missing, this.#pids.length - 1))
  }

  progress(): Progress {
    return {
      requested: requestedNow('processes', this.#task, this.#share),
      achieved: { processes: this.#pids.length, freeProcesses: freeOf(this.#supplies ?? []) },
    }
  }

  breach(): string | undefined {
    return this.#supplies ? shortageOf(this.#supplies) : 'the system no longer tells how many processes there are'
  }

  stop(): Promise<void> {
    return this.#nursery.end()
  }
}

async function start(task: ProcessesTask): Promise<RunningLoad> {
  return new ProcessesLoad(task)
}

export const processesLoad = defineLoad<ProcessesTask>({ start })
