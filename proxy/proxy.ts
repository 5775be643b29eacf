// One listener and its upstream: its names, its settings, the faults on it. What listens and carries is its carrier.
import { isDeepStrictEqual } from 'node:util'
import { parseAddress, parseUpstream, type Address } from './address.ts'
import { refusesClients, type Carrier, type CarrierHost, type LiveConnection } from './carrier.ts'
import { createBusyPoll, type BusyPoll } from './busy-poll.ts'
import type { Clock } from './clock.ts'
import { DatagramCarrier } from './datagram/datagram-carrier.ts'
import { FaultlineError } from './errors.ts'
import type { EventLog, NetworkEventType, RemovalReason } from './event-log.ts'
import { describeFault, FaultSet } from './fault-set.ts'
import type { Direction, FaultSpec, Transport } from './faults/fault.ts'
import type { InjectionDetail, InjectionLog } from './injection-log.ts'
import { Installations } from './installations.ts'
import { InstalledFault, type CheckedSettings, type FaultChange, type ReadFile } from './installed-fault.ts'
import { resolveListen } from './listen.ts'
import type { Traffic } from './pipe.ts'
import type { ProtocolName, ProtocolOptions, Session, SessionEvent, SessionHost } from './protocols/protocol.ts'
import { protocols, transportOf, withoutSecrets } from './protocols/registry.ts'
import type { UdpOptions } from './protocols/udp.ts'
import {
  noCounts,
  proxyChangeSchema,
  type ProxyChange,
  type ProxyCounters,
  type ProxySettings,
} from './proxy-settings.ts'
import type { Safety } from './safety.ts'
import { StreamCarrier } from './stream-carrier.ts'
import { Turns } from './turns.ts'
import { validate } from './validate.ts'

/** What a proxy needs from its network. */
export interface ProxyHost {
  readonly seed: number
  readonly clock: Clock
  readonly injections: InjectionLog
  readonly events: EventLog
  readonly changes: EventLog
  readonly connectionEvents: EventLog
  readonly safety: Safety
  readonly maxHeldBytes: number
  /** For faults that send files. */
  readonly readFile: ReadFile
  /** Unique in the network. */
  nextFaultId(): string
}

/** What a proxy is created with and keeps. */
interface FixedSettings {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly seed?: number | undefined
  readonly seedName?: string | undefined
  readonly lease?: string | undefined
}

export class FaultProxy implements CarrierHost {
  readonly name: string
  readonly protocol: ProtocolName
  /** What is particular to the protocol, e.g. `strict` with http. Without secrets. */
  readonly protocolOptions: ProtocolOptions
  readonly #allOptions: ProtocolOptions
  /** The service whose clients use it. */
  readonly from: string | undefined
  /** The service that it leads to. */
  readonly to: string | undefined
  /** Decides its random choices, with {@link FaultProxy.seedName}. */
  readonly seed: number
  readonly seedName: string
  /** The lease that it ends with. */
  readonly lease: string | undefined
  readonly traffic: Readonly<Record<Direction, Traffic>> = {
    upstream: { receivedBytes: 0, sentBytes: 0 },
    downstream: { receivedBytes: 0, sentBytes: 0 },
  }
  readonly counters: ProxyCounters = noCounts()
  readonly busyPoll: BusyPoll | undefined
  readonly #host: ProxyHost
  readonly #prepared: unknown
  readonly #faults: FaultSet
  /** What faults do to the proxy as a whole while it listens. */
  readonly #installations = new Installations(this)
  readonly #carrier: Carrier
  #listen: string
  #upstream: string
  #upstreamAddress: Address | undefined
  #started = false
  #admitted = false
  #closed = false
  #lastError: Error | undefined
  /** Starts and stops happen one after the other. */
  readonly #turns = new Turns()

  /** Made by {@link Network.createProxy}; starts disabled. */
  constructor(
    host: ProxyHost,
    name: string,
    protocol: ProtocolName,
    protocolOptions: ProtocolOptions,
    settings: Omit<ProxySettings, 'enabled'> & FixedSettings,
  ) {
    this.#host = host
    this.name = name
    this.protocol = protocol
    this.protocolOptions = withoutSecrets(protocol, protocolOptions)
    this.#allOptions = protocolOptions
    this.#prepared = protocols[protocol].prepare?.(protocolOptions) ?? protocolOptions
    this.busyPoll = createBusyPoll(protocolOptions['busyPollMicros'] as number | undefined)
    this.#listen = settings.listen
    this.#upstream = settings.upstream
    this.from = settings.from
    this.to = settings.to
    this.seed = settings.seed ?? host.seed
    this.seedName = settings.seedName ?? name
    this.lease = settings.lease
    this.#upstreamAddress = parseUpstream(settings.upstream)
    this.#faults = new FaultSet(name, protocol, host.clock, host.safety)
    this.#carrier =
      this.transport === 'udp' ? new DatagramCarrier(this, this.#prepared as UdpOptions) : new StreamCarrier(this)
  }

  // ---- what it is ------------------------------------------------------------------------------------------------

  /** Where it listens; once started with the port that the system chose. */
  get listen(): string {
    return this.#listen
  }

  get upstream(): string {
    return this.#upstream
  }

  get upstreamAddress(): Address | undefined {
    return this.#upstreamAddress
  }

  get transport(): Transport {
    return transportOf(this.protocol)
  }

  /** {@link FaultProxy.protocolOptions} and the secrets: for who keeps a proxy across restarts, never for a view. */
  optionsWithSecrets(): ProtocolOptions {
    return this.#allOptions
  }

  get enabled(): boolean {
    return this.#started
  }

  /** The port it listens on, or undefined while disabled. */
  get port(): number | undefined {
    return this.#started ? parseAddress(this.#listen, 'listen').port : undefined
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get maxHeldBytes(): number {
    return this.#host.maxHeldBytes
  }

  /** Live connections. */
  get connections(): ReadonlySet<LiveConnection> {
    return this.#carrier.connections
  }

  /** In the order of their creation. */
  get faults(): Iterable<InstalledFault> {
    return this.#faults.all()
  }

  /** Those that are enabled. */
  get activeFaults(): readonly InstalledFault[] {
    return this.#faults.active
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
    this.#faults.stopTimers()
    return this.disable()
  }

  /**
   * Changes listen address, upstream or enabled state. A changed address restarts the proxy and drops its connections.
   *
   * @throws FaultlineError `invalid_address`, `listen_failed`; then it is as it was, but for connections that a new address
   * has cost
   */
  update(change: ProxyChange): Promise<void> {
    return this.#turns.run(async () => {
      const valid = validate(proxyChangeSchema, change)
      const { listen = this.#listen, upstream = this.#upstream, enabled = this.enabled } = valid
      const moved = await this.#listensElsewhere(listen)
      const before = { listen: this.#listen, upstream: this.#upstream, enabled: this.enabled }
      const described = this.#describe()
      try {
        if (moved || upstream !== this.#upstream) {
          await this.#stop()
          this.#address(listen, upstream)
        }
        await (enabled ? this.#start() : this.#stop())
      } catch (error) {
        this.#address(before.listen, before.upstream)
        if (before.enabled) await this.#start()
        throw error
      } finally {
        const after = this.#describe()
        if (!isDeepStrictEqual(described, after)) this.announce('proxy_changed', after)
      }
    })
  }

  #address(listen: string, upstream: string): void {
    this.#listen = listen
    this.#upstream = upstream
    this.#upstreamAddress = parseUpstream(upstream)
  }

  #describe(): InjectionDetail {
    return { listen: this.#listen, upstream: this.#upstream, enabled: String(this.enabled) }
  }

  /** True if the two addresses would change something. */
  async differs(listen: string, upstream: string): Promise<boolean> {
    return upstream !== this.#upstream || (await this.#listensElsewhere(listen))
  }

  async #listensElsewhere(listen: string): Promise<boolean> {
    if (listen === this.#listen) return false
    const then = await resolveListen(listen, this.transport)
    const now = await resolveListen(this.#listen, this.transport).catch(() => undefined) // a disabled proxy's may be anything
    return now?.host !== then.host || now.port !== then.port
  }

  async #start(): Promise<void> {
    if (this.#started) return
    if (this.#closed) throw new FaultlineError('proxy_not_found', `proxy "${this.name}" has been removed`)
    await this.#open()
    try {
      this.#installations.begin(parseAddress(this.#listen, 'listen'), this.#faults.active)
    } catch (error) {
      await this.#carrier.close()
      throw error
    }
    this.#started = true
    if (this.#refusing) this.#carrier.shut()
  }

  async #open(): Promise<void> {
    this.#listen = await this.#carrier.open(this.#listen)
  }

  async #stop(): Promise<void> {
    if (!this.#started) return
    this.#started = false
    this.#installations.end()
    await this.#carrier.close()
  }

  get #refusing(): boolean {
    return this.#faults.active.some(refusesClients)
  }

  /** Listens, or stops listening, as the faults that refuse clients want it. */
  #adaptListener(): void {
    if (this.#started && this.#refusing) this.#carrier.shut()
    else if (this.#started && !this.#carrier.listening) void this.#turns.run(() => this.#reopen())
  }

  async #reopen(): Promise<void> {
    if (!this.#started || this.#carrier.listening || this.#refusing) return
    try {
      await this.#open()
    } catch (error) {
      // Somebody else has taken the port meanwhile: it is as good as disabled, and says why.
      this.#lastError = error as Error
      await this.#stop()
    }
    if (this.#refusing) this.#carrier.shut()
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
    const fault = InstalledFault.fromSpec(spec, '', this.#host.readFile, this.transport)
    this.installFault(fault)
    return fault
  }

  /**
   * Adds a fault that has been built already.
   *
   * @throws FaultlineError `fault_exists`, `fault_not_carried`, `stopped`, `lease_not_found`, or naming `ttlMs`
   */
  installFault(fault: InstalledFault): void {
    fault.ttlMs = this.#host.safety.timeToLive(fault.ttlMs)
    this.installPart(fault)
  }

  /** Adds a fault that is a part of something, e.g. of a partition, which ends it: it has no time to live of its own. */
  installPart(fault: InstalledFault): void {
    this.#faults.add(fault, (reason) => this.removeFault(fault.name, reason))
    try {
      this.#installations.change(fault, fault.settings)
    } catch (error) {
      this.#faults.remove(fault)
      throw error
    }
    fault.id = this.#host.nextFaultId()
    if (fault.enabled) this.#carrier.addFault(fault)
    this.#adaptListener()
    this.announce('fault_added', describeFault(fault))
  }

  /**
   * Changes a fault on all connections at once. Attributes are merged into the present ones. Which connections a
   * probability chooses does not depend on when it is set.
   *
   * @throws FaultlineError `fault_not_found`, `stopped`, or naming the field that is wrong; then nothing is changed
   */
  updateFault(name: string, change: FaultChange): InstalledFault {
    const fault = this.#faults.require(name)
    this.applySettings(fault, fault.checkChange(change))
    return fault
  }

  /** Gives a fault new settings that have been checked already. */
  applySettings(fault: InstalledFault, settings: CheckedSettings): void {
    this.#host.safety.checkNotStopped()
    const wasEnabled = fault.enabled
    this.#installations.change(fault, settings)
    fault.apply(settings)
    this.#faults.changed(fault, wasEnabled)
    if (fault.enabled && wasEnabled) this.#carrier.updateFault(fault, this.#faults.before(fault))
    else if (fault.enabled) this.#carrier.addFault(fault)
    else if (wasEnabled) this.#carrier.removeFault(fault)
    this.#adaptListener()
    this.announce('fault_changed', describeFault(fault))
  }

  /**
   * Removes a fault. What it holds passes on at once; from now on it acts nowhere any more.
   *
   * @throws FaultlineError `fault_not_found`
   */
  removeFault(name: string, reason: RemovalReason = 'request'): void {
    const fault = this.#faults.require(name)
    this.#faults.remove(fault)
    this.#installations.remove(fault)
    if (fault.enabled) this.#carrier.removeFault(fault)
    this.#adaptListener()
    this.announce('fault_removed', { ...describeFault(fault), reason })
  }

  removeAllFaults(reason: RemovalReason = 'request'): void {
    for (const name of this.#faults.names()) this.removeFault(name, reason)
  }

  // ---- for the carrier -------------------------------------------------------------------------------------------

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

  /** It is one of its network's from now on: what is done with it is on record. */
  admitted(): void {
    this.#admitted = true
    this.announce('proxy_created', { protocol: this.protocol, listen: this.#listen, upstream: this.#upstream })
    for (const fault of this.faults) this.announce('fault_added', describeFault(fault))
  }

  /** Puts something that concerns the whole proxy on record. */
  announce(type: NetworkEventType, detail: InjectionDetail): void {
    if (!this.#admitted) return
    this.#host.changes.append({ timeMs: this.clock.wallTimeMs(), type, proxy: this.name, detail })
  }

  connectionEvent(connection: number, type: 'connection_opened' | 'connection_closed', detail: InjectionDetail): void {
    this.#host.connectionEvents.append({ timeMs: this.clock.wallTimeMs(), type, proxy: this.name, connection, detail })
  }

  event(connection: number, type: SessionEvent, detail: InjectionDetail): void {
    if (type === 'opaque') this.counters.opaqueConnections++
    this.#host.events.append({ timeMs: this.clock.wallTimeMs(), type, proxy: this.name, connection, detail })
  }

  heldLimitReached(): void {
    this.counters.heldLimitsReached++
  }

  failed(error: Error): void {
    this.#lastError = error
  }

  dialFailed(error: Error): void {
    this.counters.failedDials++
    this.#lastError = error
  }

  acceptFailed(error: Error): void {
    this.counters.failedAccepts++
    this.#lastError = error
  }
}
