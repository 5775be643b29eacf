import { defineLoad, type RunningLoad } from '../../../resource-stressors/child/load.ts'

export interface TimersTask {
  readonly count: number
}

class TimersLoad implements RunningLoad {
  readonly #task: TimersTask
  readonly #timers: NodeJS.Timeout[] = []

  constructor(task: TimersTask) {
    this.#task = task
  }

  ramp(share: number): void {
    while (this.#timers.length < this.#task.count * share) this.#timers.push(setInterval(() => undefined, 1))
  }

  progress() {
    return { requested: { timers: this.#task.count }, achieved: { timers: this.#timers.length } }
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers.length = 0
  }
}

export const timersLoad = defineLoad<TimersTask>({ start: async (task) => new TimersLoad(task) })
