// Processes that get stopped and that have to go on in the end, whatever happens.
import type { Guard } from '../../guard/guard.ts'
import { signalProcess, type ProcessIdentity } from '../../machine/process-identity.ts'
import { stateOf } from './processes.ts'
import { continueProcesses } from './undo.ts'

export interface Census {
  readonly there: number
  readonly stopped: number
}

export class StoppedProcesses {
  readonly #targets: readonly ProcessIdentity[]
  readonly #guard: Guard

  /** @param guard armed for these */
  constructor(targets: readonly ProcessIdentity[], guard: Guard) {
    this.#targets = targets
    this.#guard = guard
  }

  get count(): number {
    return this.#targets.length
  }

  stopAll(): void {
    for (const target of this.#targets) signalProcess(target, 'SIGSTOP')
  }

  continueAll(): void {
    continueProcesses(this.#targets)
  }

  census(): Census {
    const states = this.#targets.map(stateOf)
    return {
      there: states.filter((state) => state !== undefined).length,
      stopped: states.filter((state) => state === 'stopped').length,
    }
  }

  finished(): string | undefined {
    if (this.census().there > 0) return undefined
    return this.count === 1 ? 'the process is gone' : `all ${this.count} processes are gone`
  }

  /** If they can't be continued, the guard is not dismissed: it goes on trying. */
  async release(): Promise<void> {
    this.continueAll()
    await this.#guard.dismiss()
  }
}
