// A set of proxies with one seed, one clock and one injection log: what a test or the admin server owns.
import { randomInt } from 'node:crypto'
import { Type, type TProperties } from '@sinclair/typebox'
import { systemClock, type Clock } from './clock.ts'
import { FaultlineError } from './errors.ts'
import type { FaultSpec } from './faults/fault.ts'
import { DEFAULT_INJECTION_LOG_ENTRIES, InjectionLog, type InjectionDetail } from './injection-log.ts'
import { EventLog, type NetworkEventType, type RemovalReason } from './event-log.ts'
import { fileReader } from './files.ts'
import { InstalledFault, type ReadFile } from './installed-fault.ts'
import type { Lease, Leases } from './leases.ts'
import type { ProtocolName, ProtocolOptions } from './protocols/protocol.ts'
import { protocolNames, protocols, transportOf } from './protocols/registry.ts'
import { Partition, type PartitionSpec } from './partition.ts'
import { FaultProxy, type ProxyHost } from './proxy.ts'
import { proxyFields } from './proxy-settings.ts'
import { MAX_TTL_MS, Safety } from './safety.ts'
import { checkName, validate } from './validate.ts'

export interface NetworkOptions {
  /** Decides every random choice; an integer. Default: a random one, to be read from {@link Network.seed}. */
  readonly seed?: number
  /** Default: the real clock. */
  readonly clock?: Clock
  /** How many injections are kept on record. Default 10,000. */
  readonly injectionLogEntries?: number
  /**
   * Bytes that one fault may hold back in one direction of one connection before the sender is slowed down. Must
   * exceed bandwidth × delay where a latency fault shall not throttle. Default 16 MiB: 160 MB/s at 100 ms.
   */
  readonly maxHeldBytes?: number
  /** Directory of the files that faults may send, e.g. `bodyFile` of http_abort. Default none. */
  readonly filesDirectory?: string
  /** How long faults and partitions stay that name no time, in milliseconds. Default {@link NetworkOptions.maxTtlMs}. */
  readonly defaultTtlMs?: number
  /** Faults and partitions that are to stay longer, in milliseconds, are refused. Default: any time, also for ever. */
  readonly maxTtlMs?: number
}

export interface ProxySpec {
  /** Unique in its network. */
  readonly name: string
  /** `host:port` of the server. */
  readonly upstream: string
  /** `host:port` to accept clients on. Default `127.0.0.1:0`: any free port, this machine only. */
  readonly listen?: string
  /** Default `tcp`. */
  readonly protocol?: ProtocolName
  /**
   * tcp, http, postgres: polls for the next bytes for so many microseconds before it sleeps, where they tend to come in
   * time. Default 0: never.
   */
  readonly busyPollMicros?: number
  /** http: answers 400 to what can't be understood, instead of passing it on. Default false. */
  readonly strict?: boolean
  /** http: obeys the fault headers of Envoy (`x-envoy-fault-…`) in requests. Default false. */
  readonly headerFaults?: boolean
  /** postgres: what of a connection is encrypted. Default `passthrough`: what client and server make out. */
  readonly tls?: 'passthrough' | 'terminate' | 'client_only' | 'server_only'
  /** postgres: what clients are shown, in PEM. Default: one that is made for the occasion. */
  readonly tlsCertificate?: string
  /** postgres: the key of `tlsCertificate`, in PEM. Never shown. */
  readonly tlsKey?: string
  /** postgres: who may sign the server's certificate, in PEM, or `system`. For `tlsVerify`. */
  readonly tlsCa?: string
  /** postgres: what of the server's certificate is checked: nothing, who signed it, or that and its name. Default none. */
  readonly tlsVerify?: 'none' | 'ca' | 'full'
  /** udp: a client's session ends after so many milliseconds without a packet either way. Default 60,000. */
  readonly idleTimeoutMs?: number
  /** udp: sessions at a time; for one more, the one without a packet for longest ends. Default 10,000. */
  readonly maxSessions?: number
  /** Default true. */
  readonly enabled?: boolean
  /** The service whose clients use it, and the one it leads to: what {@link Network.partition} goes by. */
  readonly from?: string
  readonly to?: string
  /** Faults that are in place before the first connection is accepted. */
  readonly faults?: readonly FaultSpec[]
  /** Decides its random choices; an integer. Default: the network's. */
  readonly seed?: number
  /** What they are drawn by beside the seed. Default its name: under another name the same choices are made by this. */
  readonly seedName?: string
  /** The id of a lease: it is removed when that ends. */
  readonly lease?: string
}

const DEFAULT_MAX_HELD_BYTES = 16 * 1024 * 1024

/**
 * @example
 * const network = new Network({ seed: 7 })
 * const db = await network.createProxy({ name: 'db', upstream: 'localhost:5432' })
 * db.addFault({ type: 'latency', attributes: { latency: 500 } })
 * // connect to 127.0.0.1:${db.port} …
 * await network.close()
 */
export class Network implements ProxyHost {
  readonly seed: number
  readonly clock: Clock
  readonly injections: InjectionLog
  /** What users should know of connections, e.g. that the bytes of one can't be understood. */
  readonly events: EventLog
  /** Proxies, faults, partitions and leases that came, changed and went; emergency stops. */
  readonly changes: EventLog
  /** Connections that began and ended: a log of their own, as there can be thousands a second. */
  readonly connectionEvents: EventLog
  readonly safety: Safety
  readonly maxHeldBytes: number
  readonly readFile: ReadFile
  readonly #proxies = new Map<string, FaultProxy>()
  /** Proxies that are being started, by name. */
  readonly #starting = new Map<string, FaultProxy>()
  /** To be called when a proxy that a lease holds is gone. */
  readonly #letGo = new WeakMap<FaultProxy, () => void>()
  /** Those that have not been healed, by name. */
  readonly #partitions = new Map<string, Partition>()
  #partitionCount = 0
  #faultCount = 0
  #closed = false

  constructor({ clock = systemClock, ...options }: NetworkOptions = {}) {
    const valid = validate(networkOptionsSchema, options)
    const { seed, injectionLogEntries, maxHeldBytes, filesDirectory } = valid
    this.seed = seed ?? randomInt(2 ** 31)
    this.clock = clock
    this.injections = new InjectionLog(injectionLogEntries)
    this.events = new EventLog(injectionLogEntries)
    this.changes = new EventLog(injectionLogEntries)
    this.connectionEvents = new EventLog(injectionLogEntries)
    this.safety = new Safety(clock, valid, {
      created: ({ id, ttlMs }) => this.#announce('lease_created', { lease: id, ttlMs }),
      ended: ({ id }, reason) => this.#announce('lease_ended', { lease: id, reason }),
    })
    this.maxHeldBytes = maxHeldBytes
    this.readFile = fileReader(filesDirectory)
  }

  /** In the order of their creation. */
  get proxies(): IterableIterator<FaultProxy> {
    return this.#proxies.values()
  }

  proxy(name: string): FaultProxy | undefined {
    return this.#proxies.get(name)
  }

  /**
   * Creates a proxy with its faults in one step, and starts it unless it is to be disabled.
   *
   * @throws FaultlineError `proxy_exists`, `listen_failed`, `invalid_address`, or naming the field that is wrong; then
   * no proxy has been created
   */
  async createProxy(spec: ProxySpec): Promise<FaultProxy> {
    const { name, protocol, enabled, ...settings } = validate(proxySpecSchema, spec)
    checkName(name, 'name')
    const options = readOptions(spec, protocol)
    const faults = (spec.faults ?? []).map((fault, index) =>
      InstalledFault.fromSpec(fault, `faults.${index}`, this.readFile, transportOf(protocol)),
    )
    const proxy = new FaultProxy(this, name, protocol, options, settings)
    try {
      for (const fault of faults) proxy.installFault(fault)
      return await this.#admit(proxy, enabled)
    } catch (error) {
      await proxy.close() // timers and leases of its faults
      throw error
    }
  }

  async #admit(proxy: FaultProxy, enabled: boolean): Promise<FaultProxy> {
    const { name } = proxy
    if (this.#closed) throw new FaultlineError('network_closed', 'the network is closed, no proxy can be created')
    if (this.#proxies.has(name) || this.#starting.has(name)) {
      throw new FaultlineError('proxy_exists', `a proxy named "${name}" already exists`, {
        field: 'name',
        expected: 'a name that is not taken',
      })
    }
    if (proxy.lease !== undefined) this.leases.require(proxy.lease)
    this.#starting.set(name, proxy)
    try {
      if (enabled) await proxy.enable()
      if (this.#closed) {
        throw new FaultlineError('network_closed', 'the network was closed while the proxy was being created')
      }
      // It may have ended meanwhile.
      if (proxy.lease !== undefined) this.#hold(proxy, this.leases.require(proxy.lease))
      this.#proxies.set(name, proxy)
      proxy.admitted()
      for (const partition of this.#partitions.values()) partition.apply(proxy)
      return proxy
    } finally {
      this.#starting.delete(name)
    }
  }

  #hold(proxy: FaultProxy, lease: Lease): void {
    this.#letGo.set(
      proxy,
      lease.hold(() => void this.removeProxy(proxy.name)),
    )
  }

  /**
   * Stops a proxy and forgets it.
   *
   * @throws FaultlineError `proxy_not_found`
   */
  async removeProxy(name: string): Promise<void> {
    const proxy = this.#proxies.get(name)
    if (!proxy) throw new FaultlineError('proxy_not_found', `there is no proxy named "${name}"`)
    this.#proxies.delete(name)
    this.#letGo.get(proxy)?.()
    await proxy.close()
    proxy.announce('proxy_removed', {})
    this.injections.forgetProxy(name)
  }

  // ---- partitions ------------------------------------------------------------------------------------------------

  /**
   * Cuts links between services, which proxies name by `from` and `to`; links that are created later, too.
   *
   * @example
   * const cut = network.partition({ groups: [['app'], ['db', 'cache']] })
   * cut.heal()
   * @throws FaultlineError `invalid_value` naming the field; then nothing is cut
   */
  partition(spec: PartitionSpec): Partition {
    this.safety.checkNotStopped()
    const known = new Set([...this.#proxies.values()].flatMap(({ from, to }) => [from ?? [], to ?? []].flat()))
    const defaultName = `partition-${++this.#partitionCount}`
    const partition = new Partition(spec, defaultName, known, {
      clock: this.clock,
      safety: this.safety,
      healed: ({ name }, reason) => {
        this.#partitions.delete(name)
        this.#announce('partition_healed', { partition: name, reason })
      },
    })
    if (this.#partitions.has(partition.name)) {
      const expected = 'a name that no other partition has'
      const message = `name: expected ${expected}, got ${JSON.stringify(partition.name)}`
      throw new FaultlineError('invalid_value', message, { field: 'name', expected })
    }
    this.#partitions.set(partition.name, partition)
    for (const proxy of this.#proxies.values()) partition.apply(proxy)
    partition.begin()
    this.#announce('partition_created', { partition: partition.name, mode: partition.mode })
    return partition
  }

  /** Those that have not been healed. */
  get partitions(): readonly Partition[] {
    return [...this.#partitions.values()]
  }

  /** Removes all faults from all proxies and heals all partitions. Connections go on. */
  heal(): void {
    this.#healAll('heal')
  }

  #healAll(reason: RemovalReason): void {
    for (const partition of this.partitions) partition.heal(reason)
    for (const proxies of [this.#proxies, this.#starting]) {
      for (const proxy of proxies.values()) proxy.removeAllFaults(reason)
    }
  }

  // ---- safety ----------------------------------------------------------------------------------------------------

  /**
   * Emergency stop: heals everything at once, and refuses (error `stopped`) whatever would act until
   * {@link Network.resume}. When it returns, no fault acts any more; connections go on.
   */
  stop(): void {
    const { safety } = this
    const first = !safety.stopped
    // First of all: what listens to the healing must not add anything.
    safety.stopped = true
    this.#healAll('stop')
    if (first) this.#announce('stopped', {})
    this.leases.endExperiments()
  }

  /** Takes an emergency stop back: faults may be added again. Those that it has ended are gone. */
  resume(): void {
    if (!this.safety.stopped) return
    this.safety.stopped = false
    this.#announce('resumed', {})
  }

  /** True from an emergency stop until it is taken back. */
  get stopped(): boolean {
    return this.safety.stopped
  }

  /** What faults can be held by: those of a client that is gone end with its lease. */
  get leases(): Leases {
    return this.safety.leases
  }

  nextFaultId(): string {
    return `f${++this.#faultCount}`
  }

  /** The fault of this {@link InstalledFault.id}, and the proxy that it is on. */
  findFault(id: string): { proxy: FaultProxy; fault: InstalledFault } | undefined {
    for (const proxy of this.#proxies.values()) {
      for (const fault of proxy.faults) if (fault.id === id) return { proxy, fault }
    }
    return undefined
  }

  #announce(type: NetworkEventType, detail: InjectionDetail): void {
    this.changes.append({ timeMs: this.clock.wallTimeMs(), type, detail })
  }

  /**
   * Heals, and enables every proxy.
   *
   * @throws the first `listen_failed` after all have been tried
   */
  async reset(): Promise<void> {
    this.heal()
    const results = await Promise.allSettled(
      [...this.#proxies.values()].map((proxy) => proxy.update({ enabled: true })),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** Stops all proxies and closes their connections. No timer or socket is left. */
  async close(): Promise<void> {
    this.#closed = true
    for (const partition of this.partitions) partition.heal()
    // Leases last: what they hold is removed here, where that is waited for.
    const removed = [...this.#proxies.keys()].map((name) => this.removeProxy(name))
    this.leases.close()
    await Promise.all(removed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The fields of all protocols' options; a proxy takes only its own protocol's. */
const optionFields = Object.assign({}, ...protocolNames.map((name) => protocols[name].options)) as TProperties

/** @throws FaultlineError `unknown_field` for an option of another protocol */
function readOptions(spec: ProxySpec, protocol: ProtocolName): ProtocolOptions {
  const { options } = protocols[protocol]
  const given: Record<string, unknown> = {}
  for (const name of Object.keys(optionFields)) {
    const value = (spec as unknown as Record<string, unknown>)[name]
    if (value === undefined) continue
    if (!(name in options)) {
      const expected = `nothing, as a proxy with protocol ${protocol} has no such option`
      throw new FaultlineError('unknown_field', `${name}: expected ${expected}`, { field: name, expected })
    }
    given[name] = value
  }
  return validate(Type.Object(options), given)
}

const seedRange = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }

export const proxySpecSchema = Type.Object({
  name: Type.String({ minLength: 1, description: 'Unique in its network.' }),
  listen: Type.String({ ...proxyFields.listen, default: '127.0.0.1:0' }),
  upstream: proxyFields.upstream,
  protocol: Type.Union(
    protocolNames.map((protocol) => Type.Literal(protocol)),
    { default: 'tcp' },
  ),
  enabled: Type.Boolean({ ...proxyFields.enabled, default: true }),
  from: Type.Optional(Type.String({ minLength: 1, description: 'The service whose clients use it; for partitions.' })),
  to: Type.Optional(Type.String({ minLength: 1, description: 'The service that it leads to; for partitions.' })),
  faults: Type.Array(Type.Unknown(), { default: [], description: 'In place before the first connection.' }),
  seed: Type.Optional(
    Type.Integer({ ...seedRange, description: "Decides its random choices; default the network's." }),
  ),
  seedName: Type.Optional(
    Type.String({ minLength: 1, description: 'What they are drawn by beside the seed; default its name.' }),
  ),
  lease: Type.Optional(Type.String({ minLength: 1, description: 'The id of a lease; removed when that ends.' })),
  // Checked by the protocol's own schema, which also has their defaults.
  ...Object.fromEntries(Object.keys(optionFields).map((name) => [name, Type.Optional(Type.Unknown())])),
})

const networkOptionsSchema = Type.Object({
  seed: Type.Optional(Type.Integer(seedRange)),
  injectionLogEntries: Type.Integer({ minimum: 1, maximum: 10_000_000, default: DEFAULT_INJECTION_LOG_ENTRIES }),
  filesDirectory: Type.Optional(Type.String({ minLength: 1 })),
  defaultTtlMs: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TTL_MS })),
  maxTtlMs: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TTL_MS })),
  maxHeldBytes: Type.Integer({ minimum: 1, maximum: 2 ** 40, default: DEFAULT_MAX_HELD_BYTES }),
})
