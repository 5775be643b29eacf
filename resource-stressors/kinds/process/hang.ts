// Processes that are stopped all the time.
import type { RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { StoppedProcesses } from './stopped-processes.ts'

/** Somebody else may let them go on: they are not stopped anew, but it is reported. */
export class Hang implements RunningLoad {
  readonly #processes: StoppedProcesses
  #looks = 0
  #stoppedLooks = 0
  #stoppedPercent = 0

  constructor(processes: StoppedProcesses) {
    this.#processes = processes
    processes.stopAll()
  }

  /** Called ten times a second: often enough to see for which share of the time they are stopped. */
  ramp(): void {
    const { there, stopped } = this.#processes.census()
    this.#looks += there
    this.#stoppedLooks += stopped
  }

  progress(): Progress {
    if (this.#looks > 0) this.#stoppedPercent = Math.round((this.#stoppedLooks / this.#looks) * 100)
    this.#looks = this.#stoppedLooks = 0
    return {
      requested: { processes: this.#processes.count, stoppedPercent: 100 },
      achieved: { processes: this.#processes.census().there, stoppedPercent: this.#stoppedPercent },
    }
  }

  finished(): string | undefined {
    return this.#processes.finished()
  }

  stop(): Promise<void> {
    return this.#processes.release()
  }
}
