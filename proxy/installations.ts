// What faults do to a proxy as a whole while it listens, beside their stages in its connections.
import type { Address } from './address.ts'
import type { Direction, Installation } from './faults/fault.ts'
import type { InjectionDetail } from './injection-log.ts'
import type { CheckedSettings, InstalledFault } from './installed-fault.ts'

/** What they need of the proxy. */
export interface InstallationsHost {
  record(fault: InstalledFault, connection: number, direction: Direction, action: string, detail: InjectionDetail): void
  /** Something went wrong that nobody waits for. */
  failed(error: Error): void
}

/** Stands for the proxy as a whole among the numbers of connections. */
const NO_CONNECTION = 0

export class Installations {
  readonly #host: InstallationsHost
  readonly #installed = new Map<InstalledFault, Installation>()
  /** Where the proxy listens; undefined while it does not. */
  #listen: Address | undefined

  constructor(host: InstallationsHost) {
    this.#host = host
  }

  /** The proxy listens from now on. @throws FaultlineError of a fault that can't act here; then none does */
  begin(listen: Address, faults: Iterable<InstalledFault>): void {
    this.#listen = listen
    try {
      for (const fault of faults) this.change(fault, fault.settings)
    } catch (error) {
      this.end()
      throw error
    }
  }

  /** The proxy has stopped listening. */
  end(): void {
    this.#listen = undefined
    for (const fault of this.#installed.keys()) this.remove(fault)
  }

  /**
   * A fault is added with these settings, or gets them.
   *
   * @throws FaultlineError if it can't act so; then nothing is changed
   */
  change(fault: InstalledFault, settings: CheckedSettings): void {
    const installed = this.#installed.get(fault)
    if (!settings.enabled) this.remove(fault)
    else if (installed) installed.update(settings)
    else this.#install(fault, settings)
  }

  #install(fault: InstalledFault, settings: CheckedSettings): void {
    const { definition } = fault
    if (!this.#listen || definition.layer !== 'stream' || !definition.install) return
    const host = {
      listen: this.#listen,
      record: (direction: Direction, action: string, detail: InjectionDetail) =>
        this.#host.record(fault, NO_CONNECTION, direction, action, detail),
      failed: (error: Error) => this.#host.failed(error),
    }
    this.#installed.set(fault, definition.install(settings, host))
  }

  remove(fault: InstalledFault): void {
    this.#installed.get(fault)?.remove()
    this.#installed.delete(fault)
  }
}
