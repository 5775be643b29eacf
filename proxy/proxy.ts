// One listener and its upstream: accepts connections, owns the faults on them.
import type { Server, Socket } from 'node:net'
import { Type } from '@sinclair/typebox'
import { parseAddress, type Address } from './address.ts'
import type { Clock, TimerHandle } from './clock.ts'
import { AdmissionDesk, type AdmissionHost } from './admission.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { FaultlineError } from './errors.ts'
import type { CompiledConnectionRule } from './faults/connection/connection-fault.ts'
import type { Direction, FaultSpec } from './faults/fault.ts'
import type { InjectionDetail, InjectionLog } from './injection-log.ts'
import { InstalledFault, type CheckedSettings, type FaultChange, type ReadFile } from './installed-fault.ts'
import { listenOn, resolveListen } from './listen.ts'
import type { Traffic } from './pipe.ts'
import type { EventLog } from './event-log.ts'
import type { ProtocolName, ProtocolOptions, Session, SessionEvent, SessionHost } from './protocols/protocol.ts'
import { protocols } from './protocols/registry.ts'
import { createListener } from './socket.ts'
import { Turns } from './turns.ts'
import { validate } from './validate.ts'

/** What a proxy needs from its network. */
export interface ProxyHost {
  readonly seed: number
  readonly clock: Clock
  readonly injections: InjectionLog
  readonly events: EventLog
  readonly maxHeldBytes: number
  /** For faults that send files. */
  readonly readFile: ReadFile
}

export interface ProxySettings {
  /** `host:port` to accept clients on. Port 0 = any free one; no host = all interfaces. */
  readonly listen: string
  /** `host:port` of the server. Looked up for each connection. */
  readonly upstream: string
  /** A disabled proxy listens to nobody and has no connections. */
  readonly enabled: boolean
}

export type ProxyChange = Partial<ProxySettings>

export const proxyFields = {
  listen: Type.String({ minLength: 1, description: 'host:port to accept clients on; port 0 = any free one.' }),
  upstream: Type.String({ minLength: 1, description: 'host:port of the server.' }),
  enabled: Type.Boolean({ description: 'A disabled proxy listens to nobody.' }),
}

const proxyChangeSchema = Type.Partial(Type.Object(proxyFields))

/** Counters of a proxy since it was created. */
export interface ProxyCounters {
  acceptedConnections: number
  /** Connections whose upstream could not be reached. */
  failedDials: number
  /** Connections that could not be accepted, e.g. for want of file descriptors (EMFILE). */
  failedAccepts: number
  /** How often a fault held as much as it may, and so slowed the sender down. */
  heldLimitsReached: number
  /** Connections whose bytes could not be understood, so that message faults can't act on them any more. */
  opaqueConnections: number
}

/** How often connections are looked through for those that have lived long enough to be kept alive. */
const KEEP_ALIVE_SWEEP_MS = 30_000

export class FaultProxy implements ConnectionHost, AdmissionHost {
  readonly name: string
  readonly protocol: ProtocolName
  /** What is particular to the protocol, e.g. `strict` with http. Without secrets. */
  readonly protocolOptions: ProtocolOptions
  /** The service whose clients use it. */
  readonly from: string | undefined
  /** The service that it leads to. */
  readonly to: string | undefined
  readonly traffic: Readonly<Record<Direction, Traffic>> = {
    upstream: { receivedBytes: 0, sentBytes: 0 },
    downstream: { receivedBytes: 0, sentBytes: 0 },
  }
  readonly counters: ProxyCounters = {
    acceptedConnections: 0,
    failedDials: 0,
    failedAccepts: 0,
    heldLimitsReached: 0,
    opaqueConnections: 0,
  }
  readonly #host: ProxyHost
  readonly #prepared: unknown
  /** Timers of faults that end by themselves. */
  readonly #expiries = new Map<InstalledFault, TimerHandle>()
  readonly #faults = new Map<string, InstalledFault>()
  readonly #connections = new Set<Connection>()
  readonly #admission = new AdmissionDesk(this)
  #listen: string
  #upstream: string
  #upstreamAddress: Address | undefined
  /** Accepts clients; while {@link FaultProxy.#refusing} nobody does. */
  #listener: Server | undefined
  #started = false
  #keepAliveSweep: NodeJS.Timeout | undefined
  #closed = false
  #lastError: Error | undefined
  /** Starts and stops happen one after the other. */
  readonly #turns = new Turns()
  #whenIdle: (() => void) | undefined

  /** Made by {@link Network.createProxy}; starts disabled. */
  constructor(
    host: ProxyHost,
    name: string,
    protocol: ProtocolName,
    protocolOptions: ProtocolOptions,
    settings: Omit<ProxySettings, 'enabled'> & { readonly from?: string | undefined; readonly to?: string | undefined },
  ) {
    this.#host = host
    this.name = name
    this.protocol = protocol
    this.protocolOptions = withoutSecrets(protocol, protocolOptions)
    this.#prepared = protocols[protocol].prepare?.(protocolOptions) ?? protocolOptions
    this.#listen = settings.listen
    this.#upstream = settings.upstream
    this.from = settings.from
    this.to = settings.to
    this.#upstreamAddress = tryParse(settings.upstream)
  }

  // ---- what it is ------------------------------------------------------------------------------------------------

  /** Where it listens; once started with the port that the system chose. */
  get listen(): string {
    return this.#listen
  }

  get upstream(): string {
    return this.#upstream
  }

  get enabled(): boolean {
    return this.#started
  }

  /** The port it listens on, or undefined while disabled. */
  get port(): number | undefined {
    return this.#started ? parseAddress(this.#listen, 'listen').port : undefined
  }

  get seed(): number {
    return this.#host.seed
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get maxHeldBytes(): number {
    return this.#host.maxHeldBytes
  }

  /** Live connections. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections
  }

  /** In the order of their creation. */
  get faults(): Iterable<InstalledFault> {
    return this.#faults.values()
  }

  /** The latest failure of a dial or accept, for people who wonder. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  // ---- life ------------------------------------------------------------------------------------------------------

  /** Starts listening. Nothing if it does already. */
  enable(): Promise<void> {
    return this.#turns.run(() => this.#start())
  }

  /** Stops listening and closes all connections at once. Faults stay. */
  disable(): Promise<void> {
    return this.#turns.run(() => this.#stop())
  }

  /** Disables it for good: for a proxy that is removed. */
  close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#expiries.values()) this.clock.clearTimer(timer)
    this.#expiries.clear()
    return this.disable()
  }

  /**
   * Changes listen address, upstream or enabled state. A changed address restarts the proxy and drops its connections.
   *
   * @throws FaultlineError `invalid_address` before anything is changed; `listen_failed` when it could not be started
   * again: then it is disabled, with the new addresses
   */
  update(change: ProxyChange): Promise<void> {
    return this.#turns.run(async () => {
      const valid = validate(proxyChangeSchema, change)
      const { listen = this.#listen, upstream = this.#upstream, enabled = this.enabled } = valid
      const moved = await this.#listensElsewhere(listen)
      if (moved || upstream !== this.#upstream) {
        await this.#stop()
        this.#listen = listen
        this.#upstream = upstream
        this.#upstreamAddress = tryParse(upstream)
      }
      await (enabled ? this.#start() : this.#stop())
    })
  }

  /** True if the two addresses would change something. */
  async differs(listen: string, upstream: string): Promise<boolean> {
    return upstream !== this.#upstream || (await this.#listensElsewhere(listen))
  }

  async #listensElsewhere(listen: string): Promise<boolean> {
    if (listen === this.#listen) return false
    const then = await resolveListen(listen)
    const now = await resolveListen(this.#listen).catch(() => undefined) // a disabled proxy's may be anything
    return now?.host !== then.host || now.port !== then.port
  }

  async #start(): Promise<void> {
    if (this.#started) return
    if (this.#closed) throw new FaultlineError('proxy_not_found', `proxy "${this.name}" has been removed`)
    await this.#open()
    this.#started = true
    if (this.#refusing) this.#shut()
    this.#keepAliveSweep = setInterval(() => {
      for (const connection of this.#connections) connection.keepAlive()
    }, KEEP_ALIVE_SWEEP_MS).unref()
  }

  async #open(): Promise<void> {
    const listener = createListener((socket) => this.#accept(socket))
    const address = await listenOn(listener, this.#listen)
    // E.g. EMFILE: the connection is lost, the listener lives on.
    listener.on('error', (error) => {
      this.counters.failedAccepts++
      this.#lastError = error
    })
    this.#listener = listener
    this.#listen = address
  }

  /** Stops listening at once; connections go on. */
  #shut(): void {
    this.#listener?.close()
    this.#listener = undefined
  }

  async #stop(): Promise<void> {
    if (!this.#started) return
    this.#started = false
    clearInterval(this.#keepAliveSweep)
    const listener = this.#listener
    this.#listener = undefined
    const closed = new Promise<void>((resolve) => (listener ? listener.close(() => resolve()) : resolve()))
    const idle = new Promise<void>((resolve) => (this.#whenIdle = resolve))
    this.#admission.close()
    if (this.#connections.size === 0) this.#whenIdle?.()
    for (const connection of this.#connections) connection.destroy()
    await Promise.all([closed, idle])
  }

  get #refusing(): boolean {
    for (const { definition, rule } of this.#faults.values()) {
      if (definition.layer === 'connection' && (rule as CompiledConnectionRule).refuses === true) return true
    }
    return false
  }

  /** Listens, or stops listening, as the faults that refuse connections want it. */
  #adaptListener(): void {
    if (this.#started && this.#refusing) this.#shut()
    else if (this.#started && !this.#listener) void this.#turns.run(() => this.#reopen())
  }

  async #reopen(): Promise<void> {
    if (!this.#started || this.#listener || this.#refusing) return
    try {
      await this.#open()
    } catch (error) {
      // Somebody else has taken the port meanwhile: it is as good as disabled, and says why.
      this.#lastError = error as Error
      await this.#stop()
    }
    if (this.#refusing) this.#shut()
  }

  #accept(socket: Socket): void {
    this.counters.acceptedConnections++
    const upstream = this.#upstreamAddress
    if (!upstream) {
      this.dialFailed(new Error(`upstream "${this.#upstream}" is not host:port`))
      socket.resetAndDestroy()
      return
    }
    // Asked only where there may be something to say: it is a system call for the client's address.
    if (this.#hasConnectionFaults) this.#admission.arrive(socket, this.counters.acceptedConnections)
    else this.admit(socket, this.counters.acceptedConnections)
  }

  /** Lets an accepted client in. */
  admit(socket: Socket, number: number): void {
    const upstream = this.#upstreamAddress
    if (upstream && this.#started) this.#connections.add(new Connection(this, number, socket, upstream))
    else socket.resetAndDestroy()
  }

  get liveCount(): number {
    return this.#connections.size
  }

  recordAdmission(fault: InstalledFault, connection: number, action: string, detail: InjectionDetail): void {
    this.record(fault, connection, 'upstream', action, detail)
  }

  get #hasConnectionFaults(): boolean {
    for (const fault of this.#faults.values()) if (fault.definition.layer === 'connection') return true
    return false
  }

  dialFailed(error: Error): void {
    this.counters.failedDials++
    this.#lastError = error
  }

  connectionClosed(connection: Connection): void {
    this.#connections.delete(connection)
    this.#admission.connectionClosed()
    if (this.#connections.size === 0) this.#whenIdle?.()
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  fault(name: string): InstalledFault | undefined {
    return this.#faults.get(name)
  }

  /**
   * Adds a fault, which acts at once, on live connections, too.
   *
   * @example proxy.addFault({ type: 'latency', direction: 'upstream', attributes: { latency: 100, jitter: 10 } })
   * @throws FaultlineError `fault_exists`, or naming the field that is wrong
   */
  addFault(spec: FaultSpec): InstalledFault {
    const fault = InstalledFault.fromSpec(spec, '', this.#host.readFile)
    this.installFault(fault)
    return fault
  }

  /** Adds a fault that has been built already. @throws FaultlineError `fault_exists`, `fault_not_carried` */
  installFault(fault: InstalledFault): void {
    const { definition } = fault
    if (definition.layer === 'message' && definition.protocol !== this.protocol) {
      const expected = `a fault that protocol ${this.protocol} carries`
      const message = `type: ${fault.type} needs a proxy with protocol ${definition.protocol}, "${this.name}" has ${this.protocol}`
      throw new FaultlineError('fault_not_carried', message, { field: 'type', expected })
    }
    if (this.#faults.has(fault.name)) {
      throw new FaultlineError('fault_exists', `proxy "${this.name}" already has a fault named "${fault.name}"`, {
        field: 'name',
        expected: 'a name that is not taken',
      })
    }
    this.#faults.set(fault.name, fault)
    if (fault.ttlMs !== undefined) this.#expire(fault, fault.ttlMs)
    for (const connection of this.#connections) connection.addFault(fault)
    this.#adaptListener()
  }

  /**
   * Changes a fault on all connections at once. Attributes are merged into the present ones. Which connections a
   * probability chooses does not depend on when it is set.
   *
   * @throws FaultlineError `fault_not_found`, or naming the field that is wrong; then nothing is changed
   */
  updateFault(name: string, change: FaultChange): InstalledFault {
    const fault = this.#requireFault(name)
    this.applySettings(fault, fault.checkChange(change))
    return fault
  }

  /** Gives a fault new settings that have been checked already. */
  applySettings(fault: InstalledFault, settings: CheckedSettings): void {
    fault.apply(settings)
    const before = new Set<InstalledFault>()
    for (const other of this.#faults.values()) {
      if (other === fault) break
      before.add(other)
    }
    for (const connection of this.#connections) connection.updateFault(fault, before)
    this.#admission.updateFault(fault)
  }

  /**
   * Removes a fault. What it holds passes on at once; from now on it acts nowhere any more.
   *
   * @throws FaultlineError `fault_not_found`
   */
  removeFault(name: string): void {
    const fault = this.#requireFault(name)
    this.#faults.delete(name)
    this.clock.clearTimer(this.#expiries.get(fault))
    this.#expiries.delete(fault)
    for (const connection of this.#connections) connection.removeFault(fault)
    this.#admission.removeFault(fault)
    this.#adaptListener()
  }

  #expire(fault: InstalledFault, ttlMs: number): void {
    const timer = this.clock.setTimer(() => this.removeFault(fault.name), ttlMs)
    this.#expiries.set(fault, timer)
  }

  removeAllFaults(): void {
    for (const name of this.#faults.keys()) this.removeFault(name)
  }

  record(
    fault: InstalledFault,
    connection: number,
    direction: Direction,
    action: string,
    detail: InjectionDetail,
  ): void {
    fault.injections++
    this.#host.injections.append({
      timeMs: this.clock.wallTimeMs(),
      proxy: this.name,
      connection,
      direction,
      fault: fault.name,
      type: fault.type,
      action,
      detail,
    })
  }

  createSession(host: SessionHost): Session | undefined {
    return protocols[this.protocol].createSession?.(host, this.#prepared)
  }

  event(connection: number, type: SessionEvent, detail: InjectionDetail): void {
    if (type === 'opaque') this.counters.opaqueConnections++
    this.#host.events.append({ timeMs: this.clock.wallTimeMs(), type, proxy: this.name, connection, detail })
  }

  heldLimitReached(): void {
    this.counters.heldLimitsReached++
  }

  #requireFault(name: string): InstalledFault {
    const fault = this.#faults.get(name)
    if (fault) return fault
    throw new FaultlineError('fault_not_found', `proxy "${this.name}" has no fault named "${name}"`)
  }
}

/** Options that may be set and not be read (JSON Schema: writeOnly) are known to sessions only. */
function withoutSecrets(protocol: ProtocolName, options: ProtocolOptions): ProtocolOptions {
  const schemas = protocols[protocol].options
  return Object.fromEntries(Object.entries(options).filter(([name]) => schemas[name]?.['writeOnly'] !== true))
}

/** An upstream that is not host:port is allowed, as with Toxiproxy: it can't be reached, and clients see that. */
function tryParse(upstream: string): Address | undefined {
  try {
    return parseAddress(upstream, 'upstream')
  } catch {
    return undefined
  }
}
