// What a stage may use of the pipe it stands in. A class, as an object of closures for each stage showed in profiles of
// short connections.
import type { Clock } from './clock.ts'
import type { Direction, FaultDirection, PipeContext } from './faults/fault.ts'
import type { InjectionDetail } from './injection-log.ts'
import type { InstalledFault } from './installed-fault.ts'
import { Random } from './random.ts'

/** The part of a connection that stages depend on. */
export interface StageHost {
  readonly clock: Clock
  readonly maxHeldBytes: number
  /** The random key of a direction here; a fault's name and a purpose make it complete. */
  randomKey(direction: Direction): readonly (string | number)[]
  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void
  heldLimitReached(): void
  /** How long it took to reach the server, or has taken so far. */
  readonly dialMs: number
  shared<Value>(fault: InstalledFault, make: () => Value): Value
}

/** The pipe that a stage stands in. */
interface StagePipe {
  readonly untouched: boolean
  updateFlow(): void
}

const NO_DETAIL: InjectionDetail = {}

export class PipeStageContext implements PipeContext {
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly #host: StageHost
  readonly direction: Direction
  readonly #fault: InstalledFault
  readonly #pipe: StagePipe
  #random: Random | undefined

  constructor(host: StageHost, direction: Direction, fault: InstalledFault, pipe: StagePipe) {
    this.clock = host.clock
    this.maxHeldBytes = host.maxHeldBytes
    this.#host = host
    this.direction = direction
    this.#fault = fault
    this.#pipe = pipe
  }

  /** Made when first asked for: it costs 8 µs, and most faults never draw. */
  get random(): Random {
    return (this.#random ??= randomOf(this.#host, this.direction, this.#fault, 'stage'))
  }

  get faultDirection(): FaultDirection {
    return this.#fault.direction
  }

  get untouched(): boolean {
    return this.#pipe.untouched
  }

  get dialMs(): number {
    return this.#host.dialMs
  }

  shared<Value>(make: () => Value): Value {
    return this.#host.shared(this.#fault, make)
  }

  record(action: string, detail: InjectionDetail = NO_DETAIL): void {
    this.#host.record(this.#fault, this.direction, action, detail)
  }

  released(): void {
    this.#pipe.updateFlow()
  }

  limitReached(): void {
    this.#host.heldLimitReached()
  }
}

/** The generator for one purpose of one fault in one direction of one connection. */
export function randomOf(host: StageHost, direction: Direction, fault: InstalledFault, purpose: string): Random {
  return new Random(...host.randomKey(direction), fault.name, purpose)
}
