// The faults on a proxy: by name, in the order of their creation, each until its time is up.
import type { Clock, TimerHandle } from './clock.ts'
import type { RemovalReason } from './event-log.ts'
import { FaultlineError } from './errors.ts'
import type { InjectionDetail } from './injection-log.ts'
import { notCarried, type InstalledFault } from './installed-fault.ts'
import type { ProtocolName } from './protocols/protocol.ts'
import { transportOf } from './protocols/registry.ts'
import type { Safety } from './safety.ts'

export class FaultSet {
  readonly #proxy: string
  readonly #protocol: ProtocolName
  readonly #clock: Clock
  readonly #safety: Safety
  readonly #faults = new Map<string, InstalledFault>()
  /** Those that are enabled. */
  #active: readonly InstalledFault[] = []
  /** Timers of faults that end by themselves. */
  readonly #expiries = new Map<InstalledFault, TimerHandle>()
  /** To be called when a fault that a lease holds is gone. */
  readonly #letGo = new Map<InstalledFault, () => void>()

  constructor(proxy: string, protocol: ProtocolName, clock: Clock, safety: Safety) {
    this.#proxy = proxy
    this.#protocol = protocol
    this.#clock = clock
    this.#safety = safety
  }

  all(): IterableIterator<InstalledFault> {
    return this.#faults.values()
  }

  /** Those that are enabled, in the order in which they came into force. */
  get active(): readonly InstalledFault[] {
    return this.#active
  }

  names(): IterableIterator<string> {
    return this.#faults.keys()
  }

  get(name: string): InstalledFault | undefined {
    return this.#faults.get(name)
  }

  /** @throws FaultlineError `fault_not_found` */
  require(name: string): InstalledFault {
    const fault = this.#faults.get(name)
    if (fault) return fault
    throw new FaultlineError('fault_not_found', `proxy "${this.#proxy}" has no fault named "${name}"`)
  }

  /** Those that were created before this one. */
  before(fault: InstalledFault): ReadonlySet<InstalledFault> {
    const before = new Set<InstalledFault>()
    for (const other of this.#faults.values()) {
      if (other === fault) break
      before.add(other)
    }
    return before
  }

  /**
   * @param ended called when the fault's time is up or its lease is over
   * @throws FaultlineError `fault_exists`, `fault_not_carried`, `stopped`, `lease_not_found`
   */
  add(fault: InstalledFault, ended: (reason: RemovalReason) => void): void {
    this.#safety.checkNotStopped()
    this.#checkCarried(fault)
    if (this.#faults.has(fault.name)) {
      throw new FaultlineError('fault_exists', `proxy "${this.#proxy}" already has a fault named "${fault.name}"`, {
        field: 'name',
        expected: 'a name that is not taken',
      })
    }
    const { ttlMs } = fault
    const lease = fault.lease === undefined ? undefined : this.#safety.leases.require(fault.lease)
    this.#faults.set(fault.name, fault)
    this.#chooseActive()
    if (ttlMs !== undefined) {
      fault.expiresMs = this.#clock.now() + ttlMs
      this.#expiries.set(
        fault,
        this.#clock.setTimer(() => ended('expired'), ttlMs),
      )
    }
    if (lease)
      this.#letGo.set(
        fault,
        lease.hold(() => ended('lease')),
      )
  }

  /** Its settings have changed. One that has been enabled comes behind all others. */
  changed(fault: InstalledFault, wasEnabled: boolean): void {
    if (fault.enabled === wasEnabled) return
    if (fault.enabled) {
      this.#faults.delete(fault.name)
      this.#faults.set(fault.name, fault)
    }
    this.#chooseActive()
  }

  remove(fault: InstalledFault): void {
    this.#faults.delete(fault.name)
    this.#chooseActive()
    this.#clock.clearTimer(this.#expiries.get(fault))
    this.#expiries.delete(fault)
    this.#letGo.get(fault)?.()
    this.#letGo.delete(fault)
  }

  #chooseActive(): void {
    this.#active = [...this.#faults.values()].filter(({ enabled }) => enabled)
  }

  /** From now on none ends by itself. */
  stopTimers(): void {
    for (const timer of this.#expiries.values()) this.#clock.clearTimer(timer)
    this.#expiries.clear()
    for (const letGo of this.#letGo.values()) letGo()
    this.#letGo.clear()
  }

  #checkCarried({ type, definition }: InstalledFault): void {
    const transport = transportOf(this.#protocol)
    if ((definition.layer === 'datagram') !== (transport === 'udp')) throw notCarried(type, '', transport)
    if (definition.layer !== 'message' || definition.protocol === this.#protocol) return
    const expected = `a fault that protocol ${this.#protocol} carries`
    const message = `type: ${type} needs a proxy with protocol ${definition.protocol}, "${this.#proxy}" has ${this.#protocol}`
    throw new FaultlineError('fault_not_carried', message, { field: 'type', expected })
  }
}

/** What is said of a fault that comes, changes or goes. */
export function describeFault({ id, name, type, direction, enabled }: InstalledFault): InjectionDetail {
  return { id, fault: name, type, direction, enabled: String(enabled) }
}
