// Ends a connection after a time of life or of silence, as its faults say.
import type { Clock, TimerHandle } from './clock.ts'
import type { CompiledConnectionRule, ConnectionLimit } from './faults/connection/connection-fault.ts'
import type { InstalledFault } from './installed-fault.ts'

export interface LimitedConnection {
  readonly clock: Clock
  readonly acceptedMs: number
  /** Reads in both directions so far. */
  readonly reads: number
  /** A limit has been reached. */
  limitReached(fault: InstalledFault, limit: ConnectionLimit): void
}

/** Silence is looked at so many times in its time; so much later at most it is seen. */
const LOOKS = 20

export class ConnectionLimits {
  readonly #connection: LimitedConnection
  readonly #timers = new Map<InstalledFault, TimerHandle>()

  constructor(connection: LimitedConnection) {
    this.#connection = connection
  }

  add(fault: InstalledFault): void {
    const { limit } = fault.rule as CompiledConnectionRule
    if (!limit) return
    const { clock, acceptedMs } = this.#connection
    if (limit.idle) this.#watch(fault, limit, this.#connection.reads, clock.now())
    else this.#set(fault, acceptedMs + limit.afterMs - clock.now(), () => this.#connection.limitReached(fault, limit))
  }

  /** @param sinceMs no read has been seen since */
  #watch(fault: InstalledFault, limit: ConnectionLimit, reads: number, sinceMs: number): void {
    this.#set(fault, Math.ceil(limit.afterMs / LOOKS), () => {
      const nowMs = this.#connection.clock.now()
      const read = this.#connection.reads
      if (read !== reads) this.#watch(fault, limit, read, nowMs)
      else if (nowMs - sinceMs >= limit.afterMs) this.#connection.limitReached(fault, limit)
      else this.#watch(fault, limit, reads, sinceMs)
    })
  }

  #set(fault: InstalledFault, delayMs: number, callback: () => void): void {
    this.#timers.set(fault, this.#connection.clock.setTimer(callback, Math.max(0, delayMs)))
  }

  has(fault: InstalledFault): boolean {
    return this.#timers.has(fault)
  }

  remove(fault: InstalledFault): void {
    this.#connection.clock.clearTimer(this.#timers.get(fault))
    this.#timers.delete(fault)
  }

  dispose(): void {
    for (const timer of this.#timers.values()) this.#connection.clock.clearTimer(timer)
    this.#timers.clear()
  }
}
