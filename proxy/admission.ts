// Clients that have been accepted and are not let in yet: connection faults decide on them.
import type { Socket } from 'node:net'
import type { Clock, TimerHandle } from './clock.ts'
import type { CompiledConnectionRule } from './faults/connection/connection-fault.ts'
import type { InstalledFault } from './installed-fault.ts'
import { Random } from './random.ts'

/** What it needs from its proxy. */
export interface AdmissionHost {
  readonly seed: number
  readonly seedName: string
  readonly clock: Clock
  readonly faults: Iterable<InstalledFault>
  /** Live connections. */
  readonly liveCount: number
  /** Lets a client in. */
  admit(socket: Socket, number: number): void
  recordAdmission(fault: InstalledFault, number: number, action: string, detail: Record<string, number | string>): void
}

interface Waiting {
  readonly socket: Socket
  readonly number: number
  readonly address: string
  /** The fault for which it waits. */
  readonly fault: InstalledFault
  timer?: TimerHandle
  readonly queued: boolean
  /** Faults that have been asked. */
  readonly asked: Set<InstalledFault>
}

/** Clients that wait; more are reset, as a listener whose backlog is full would not have taken them. */
const MAX_WAITING = 10_000

export class AdmissionDesk {
  readonly #host: AdmissionHost
  readonly #waiting = new Set<Waiting>()

  constructor(host: AdmissionHost) {
    this.#host = host
  }

  /** @param number the connection's, if it becomes one */
  arrive(socket: Socket, number: number): void {
    this.#ask(socket, number, socket.remoteAddress ?? '', new Set())
  }

  #ask(socket: Socket, number: number, address: string, asked: Set<InstalledFault>): void {
    const host = this.#host
    for (const fault of host.faults) {
      if (fault.definition.layer !== 'connection' || asked.has(fault)) continue
      asked.add(fault)
      const rule = fault.rule as CompiledConnectionRule
      if (!rule.admit || !rule.matches({ clientAddress: address, localPort: socket.localPort ?? 0, number })) continue
      const admission = rule.admit(host.liveCount)
      if (!admission || !this.#selects(fault, number)) continue
      const detail = { client: address, ...(admission.kind === 'delay' && { delayMs: admission.delayMs }) }
      host.recordAdmission(fault, number, admission.kind, detail)
      if (admission.kind === 'reset' || (admission.kind !== 'close' && this.#waiting.size >= MAX_WAITING)) {
        socket.resetAndDestroy()
        return
      }
      if (admission.kind === 'close') {
        socket.destroySoon()
        return
      }
      const waiting: Waiting = { socket, number, address, fault, queued: admission.kind === 'queue', asked }
      this.#waiting.add(waiting)
      if (admission.kind === 'delay') {
        waiting.timer = host.clock.setTimer(() => this.#goOn(waiting), admission.delayMs)
      }
      return
    }
    host.admit(socket, number)
  }

  #selects(fault: InstalledFault, number: number): boolean {
    const { seed, seedName } = this.#host
    return fault.selection.select(fault, '', () => new Random(seed, seedName, number, fault.name, 'probability').next())
  }

  #goOn(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return
    this.#host.clock.clearTimer(waiting.timer)
    this.#ask(waiting.socket, waiting.number, waiting.address, waiting.asked)
  }

  /** What waits for this fault goes on. */
  removeFault(fault: InstalledFault): void {
    for (const waiting of this.#present()) if (waiting.fault === fault) this.#goOn(waiting)
  }

  /** The fault's settings have changed: what waits for it is asked again. */
  updateFault(fault: InstalledFault): void {
    for (const waiting of this.#present()) {
      if (waiting.fault !== fault) continue
      waiting.asked.delete(fault)
      this.#goOn(waiting)
    }
  }

  /** A connection has ended: the one that has waited longest in the queue takes its place. */
  connectionClosed(): void {
    if (this.#waiting.size === 0) return // most of the time: nothing is copied for each connection that ends
    for (const waiting of this.#present()) {
      if (!waiting.queued) continue
      const admission = (waiting.fault.rule as CompiledConnectionRule).admit?.(this.#host.liveCount)
      if (admission) return
      this.#goOn(waiting)
    }
  }

  /** Those that wait now: one that is asked again may wait again, and would be come across for ever. */
  #present(): readonly Waiting[] {
    return [...this.#waiting]
  }

  /** Drops all that wait. */
  close(): void {
    for (const { socket, timer } of this.#waiting) {
      this.#host.clock.clearTimer(timer)
      socket.destroy()
    }
    this.#waiting.clear()
  }
}
