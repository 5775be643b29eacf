// Carries streams: a TCP listener, the desk where connection faults decide on clients, and the live connections.
import type { Server, Socket } from 'node:net'
import { AdmissionDesk, type AdmissionHost } from './admission.ts'
import { describeEnd, type Carrier, type CarrierHost } from './carrier.ts'
import type { Clock } from './clock.ts'
import { Connection } from './connection.ts'
import type { InjectionDetail } from './injection-log.ts'
import type { InstalledFault } from './installed-fault.ts'
import { listenOn } from './listen.ts'
import { createListener } from './socket.ts'

/** How often connections are looked through for those that have lived long enough to be kept alive. */
const KEEP_ALIVE_SWEEP_MS = 30_000

const NO_DETAIL: InjectionDetail = {}

export class StreamCarrier implements Carrier, AdmissionHost {
  readonly #host: CarrierHost
  readonly #connections = new Set<Connection>()
  readonly #admission = new AdmissionDesk(this)
  #listener: Server | undefined
  /** From opening to closing, also while it is shut. */
  #running = false
  #keepAliveSweep: NodeJS.Timeout | undefined
  #whenIdle: (() => void) | undefined

  constructor(host: CarrierHost) {
    this.#host = host
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  get listening(): boolean {
    return this.#listener !== undefined
  }

  async open(listen: string): Promise<string> {
    const listener = createListener((socket) => this.#accept(socket))
    const address = await listenOn(listener, listen)
    // E.g. EMFILE: the connection is lost, the listener lives on.
    listener.on('error', (error) => this.#host.acceptFailed(error))
    this.#listener = listener
    this.#running = true
    this.#keepAliveSweep ??= setInterval(() => {
      for (const connection of this.#connections) connection.keepAlive()
    }, KEEP_ALIVE_SWEEP_MS).unref()
    return address
  }

  shut(): void {
    this.#listener?.close()
    this.#listener = undefined
  }

  async close(): Promise<void> {
    this.#running = false
    clearInterval(this.#keepAliveSweep)
    this.#keepAliveSweep = undefined
    const listener = this.#listener
    this.#listener = undefined
    const closed = new Promise<void>((resolve) => (listener ? listener.close(() => resolve()) : resolve()))
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve))
    this.#admission.close()
    if (this.#connections.size === 0) this.#whenIdle?.()
    for (const connection of this.#connections) connection.destroy()
    await Promise.all([closed, idle])
  }

  #accept(socket: Socket): void {
    const host = this.#host
    const number = ++host.counters.acceptedConnections
    if (!host.upstreamAddress) {
      host.dialFailed(new Error(`upstream "${host.upstream}" is not host:port`))
      socket.resetAndDestroy()
      return
    }
    // Asked only where there may be something to say: it is a system call for the client's address.
    if (this.#hasConnectionFaults) this.#admission.arrive(socket, number)
    else this.admit(socket, number)
  }

  get #hasConnectionFaults(): boolean {
    for (const fault of this.#host.activeFaults) if (fault.definition.layer === 'connection') return true
    return false
  }

  readonly #connectionClosed = (connection: Connection): void => {
    this.#connections.delete(connection)
    const { number } = connection
    this.#host.connectionEvent(number, 'connection_closed', describeEnd(connection, this.#host.clock.now()))
    this.#admission.connectionClosed()
    if (this.#connections.size === 0) this.#whenIdle?.()
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  addFault(fault: InstalledFault): void {
    for (const connection of this.#connections) connection.addFault(fault)
  }

  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    for (const connection of this.#connections) connection.updateFault(fault, before)
    this.#admission.updateFault(fault)
  }

  removeFault(fault: InstalledFault): void {
    for (const connection of this.#connections) connection.removeFault(fault)
    this.#admission.removeFault(fault)
  }

  // ---- for the desk ----------------------------------------------------------------------------------------------

  get seedName(): string {
    return this.#host.seedName
  }

  get seed(): number {
    return this.#host.seed
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get faults(): Iterable<InstalledFault> {
    return this.#host.activeFaults
  }

  get liveCount(): number {
    return this.#connections.size
  }

  /** Lets an accepted client in. */
  admit(socket: Socket, number: number): void {
    const upstream = this.#host.upstreamAddress
    if (!upstream || !this.#running) {
      socket.resetAndDestroy()
      return
    }
    this.#connections.add(new Connection(this.#host, number, socket, upstream, this.#connectionClosed))
    this.#host.connectionEvent(number, 'connection_opened', NO_DETAIL)
  }

  recordAdmission(fault: InstalledFault, connection: number, action: string, detail: InjectionDetail): void {
    this.#host.record(fault, connection, 'upstream', action, detail)
  }
}
