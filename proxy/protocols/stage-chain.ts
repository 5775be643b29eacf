// Stages in a row before a last sink: what the head or the body of a message goes through.
import type { Sink, Stage } from '../faults/stage.ts'
import type { InstalledFault } from '../installed-fault.ts'

interface Entry {
  readonly fault: InstalledFault
  readonly stage: Stage<unknown>
}

export class StageChain {
  readonly #last: Sink
  #entries: Entry[] = []
  #first: Sink

  constructor(last: Sink) {
    this.#last = last
    this.#first = last
  }

  /** Where the next bytes go in. */
  get first(): Sink {
    return this.#first
  }

  get heldBytes(): number {
    return this.#entries.reduce((bytes, { stage }) => bytes + stage.heldBytes, 0)
  }

  get full(): boolean {
    return this.#entries.some(({ stage }) => stage.full)
  }

  add(fault: InstalledFault, stage: Stage<unknown>): void {
    this.#entries = [...this.#entries, { fault, stage }]
    this.#relink()
    stage.start()
  }

  /** Takes a fault off; what it holds passes on before anything that comes later. */
  remove(fault: InstalledFault): void {
    const entry = this.#entries.find((candidate) => candidate.fault === fault)
    if (!entry) return
    this.#entries = this.#entries.filter((candidate) => candidate !== entry)
    entry.stage.remove()
    this.#relink()
  }

  /** Passes on everything held, in order, now. */
  flush(): void {
    for (const { stage } of this.#entries) stage.flush()
  }

  dispose(): void {
    for (const { stage } of this.#entries) stage.dispose()
    this.#entries = []
  }

  #relink(): void {
    let next = this.#last
    for (const { stage } of this.#entries.toReversed()) {
      stage.next = next
      next = stage
    }
    this.#first = next
  }
}
