// What a stage may use of the session it stands in.
import type { Clock } from '../clock.ts'
import type { DatagramContext } from '../faults/datagram/datagram-fault.ts'
import type { Direction } from '../faults/fault.ts'
import type { InjectionDetail } from '../injection-log.ts'
import type { InstalledFault } from '../installed-fault.ts'
import type { Random } from '../random.ts'

/** The part of a session that stages depend on. */
export interface StageHost {
  readonly clock: Clock
  readonly maxHeldBytes: number
  random(direction: Direction, fault: InstalledFault, purpose: string): Random
  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void
  heldLimitReached(): void
  shared<Value>(fault: InstalledFault, direction: Direction, make: () => Value): Value
}

export class SessionStageContext implements DatagramContext {
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly direction: Direction
  readonly #host: StageHost
  readonly #fault: InstalledFault
  #random: Random | undefined

  constructor(host: StageHost, direction: Direction, fault: InstalledFault) {
    this.clock = host.clock
    this.maxHeldBytes = host.maxHeldBytes
    this.direction = direction
    this.#host = host
    this.#fault = fault
  }

  /** Made when first asked for, as with streams. */
  get random(): Random {
    return (this.#random ??= this.#host.random(this.direction, this.#fault, 'stage'))
  }

  selects(): boolean {
    const fault = this.#fault
    if (!fault.counts) return true
    const { skip, times, every } = fault
    // The probability has chosen among sessions already.
    return fault.selection.select({ skip, times, every, probability: 1, key: undefined }, '', () => 0)
  }

  record(action: string, detail: InjectionDetail): void {
    this.#host.record(this.#fault, this.direction, action, detail)
  }

  limitReached(): void {
    this.#host.heldLimitReached()
  }

  shared<Value>(make: () => Value): Value {
    return this.#host.shared(this.#fault, this.direction, make)
  }
}
