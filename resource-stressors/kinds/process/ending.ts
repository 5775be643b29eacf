// Processes that were told to end, and whether they have.
import type { RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { signalProcess, type ProcessIdentity } from '../../machine/process-identity.ts'
import { stateOf } from './processes.ts'

export class Ending implements RunningLoad {
  readonly #targets: readonly ProcessIdentity[]

  constructor(targets: readonly ProcessIdentity[], signal: 'SIGKILL' | 'SIGTERM') {
    this.#targets = targets
    for (const target of targets) signalProcess(target, signal)
  }

  ramp(): void {
    // There is no half of a signal: the definition allows no ramp.
  }

  get #ended(): number {
    return this.#targets.filter((target) => stateOf(target) === undefined).length
  }

  progress(): Progress {
    return { requested: { processes: this.#targets.length }, achieved: { processes: this.#ended } }
  }

  finished(): string | undefined {
    const count = this.#targets.length
    if (this.#ended < count) return undefined
    return count === 1 ? 'the process has ended' : `all ${count} processes have ended`
  }

  async stop(): Promise<void> {
    // What has ended can't be brought back, and what was asked to end can't be asked not to.
  }
}
