// A client socket, an upstream socket, and the two pipes between them. Knows how connections begin and end.
import type { Socket } from 'node:net'
import type { Address } from './address.ts'
import type { BusyPoll } from './busy-poll.ts'
import type { Clock } from './clock.ts'
import { systemCode } from './errors.ts'
import { ConnectionLimits, type LimitedConnection } from './connection-limits.ts'
import type { ConnectionFacts, ConnectionMatcher } from './connection-match.ts'
import type { CompiledConnectionRule, ConnectionLimit } from './faults/connection/connection-fault.ts'
import type { Direction } from './faults/fault.ts'
import type { InjectionDetail } from './injection-log.ts'
import type { InstalledFault } from './installed-fault.ts'
import { Pipe, type PipeHost, type Traffic } from './pipe.ts'
import type { MessageOutput, Session, SessionEvent, SessionHost } from './protocols/protocol.ts'
import { Random } from './random.ts'
import { adoptSocket, connectSocket, finishSocket, keepAlive, peerAddress, resetSocket } from './socket.ts'

/** What a connection needs from its proxy. */
export interface ConnectionHost {
  readonly seed: number
  /** With the seed, what random choices are drawn by. */
  readonly seedName: string
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly busyPoll: BusyPoll | undefined
  readonly traffic: Readonly<Record<Direction, Traffic>>
  /** Those that are enabled, in the order in which they came into force. */
  readonly activeFaults: Iterable<InstalledFault>
  record(fault: InstalledFault, connection: number, direction: Direction, action: string, detail: InjectionDetail): void
  event(connection: number, type: SessionEvent, detail: InjectionDetail): void
  /** The codecs of the proxy's protocol for one connection; undefined for plain TCP. */
  createSession(host: SessionHost): Session | undefined
  heldLimitReached(): void
  /** The upstream could not be reached. */
  dialFailed(error: Error): void
}

/**
 * After FIN has been sent to both ends by a fault, they get this long to answer it; then the sockets are closed, which
 * makes the kernel answer with RST whatever is still sent.
 */
const LINGER_MS = 200

export class Connection implements PipeHost, SessionHost, LimitedConnection, ConnectionFacts {
  /** Counts up from 1 on its proxy, in the order of accepting. */
  readonly number: number
  readonly #host: ConnectionHost
  readonly #closed: (connection: Connection) => void
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #upstreamPipe: Pipe
  readonly #downstreamPipe: Pipe
  readonly output: Readonly<Record<Direction, MessageOutput>>
  readonly upstream: Address
  readonly #session: Session | undefined
  /** What a fault's stages in the two pipes share. */
  readonly #shared = new Map<InstalledFault, unknown>()
  readonly acceptedMs: number
  /** Made with the first limit: most connections have none. */
  #limits: ConnectionLimits | undefined
  /** Whether faults that count connections have chosen this one. Made with the first. */
  #counted: Map<InstalledFault, boolean> | undefined
  #connectedMs: number | undefined
  #openSockets = 2
  #dialling = true
  #closing = false
  #keptAlive = false

  /** @param closed called once, when both sockets are closed */
  constructor(
    host: ConnectionHost,
    number: number,
    accepted: Socket,
    upstream: Address,
    closed: (connection: Connection) => void,
  ) {
    this.number = number
    this.#closed = closed
    this.upstream = upstream
    this.#host = host
    this.acceptedMs = host.clock.now()
    this.#upstreamPipe = new Pipe('upstream', this, host.traffic.upstream)
    this.#downstreamPipe = new Pipe('downstream', this, host.traffic.downstream)
    this.#client = adoptSocket(accepted, this.#upstreamPipe.readInto)
    // The client's bytes are read while the upstream is dialled: they wait, bounded, in the upstream's write queue, and
    // a client that gives up meanwhile is noticed.
    this.#upstream = connectSocket(upstream.host, upstream.port, this.#downstreamPipe.readInto)
    this.#upstreamPipe.connect(this.#client, this.#upstream)
    this.#downstreamPipe.connect(this.#upstream, this.#client)
    this.#client.on('error', () => this.#upstreamPipe.sourceFailed())
    this.#upstream.once('connect', () => {
      this.#dialling = false
      this.#connectedMs = this.clock.now()
    })
    this.#upstream.on('error', (error) => this.#upstreamFailed(error))
    this.#client.on('close', () => this.#socketClosed())
    this.#upstream.on('close', () => this.#socketClosed())
    this.output = { upstream: this.#upstreamPipe.output, downstream: this.#downstreamPipe.output }
    this.#session = host.createSession(this)
    if (this.#session) {
      this.#upstreamPipe.understand(this.#session)
      this.#downstreamPipe.understand(this.#session)
    }
    for (const fault of host.activeFaults) this.addFault(fault)
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get maxHeldBytes(): number {
    return this.#host.maxHeldBytes
  }

  get busyPoll(): BusyPoll | undefined {
    return this.#host.busyPoll
  }

  /** Through this connection. */
  get traffic(): Readonly<Record<Direction, Readonly<Traffic>>> {
    return { upstream: this.#upstreamPipe, downstream: this.#downstreamPipe }
  }

  /** Whether a fault may act here. */
  concerns(fault: InstalledFault): boolean {
    if (fault.definition.layer === 'connection') return this.#limits?.has(fault) === true
    if (fault.definition.layer === 'message') return fault.enabled && this.#session !== undefined
    return this.#upstreamPipe.has(fault) || this.#downstreamPipe.has(fault)
  }

  /** Bytes held back by faults in both directions. */
  get heldBytes(): number {
    return this.#upstreamPipe.heldBytes + this.#downstreamPipe.heldBytes
  }

  randomKey(direction: Direction): readonly (string | number)[] {
    return [this.#host.seed, this.#host.seedName, this.number, direction]
  }

  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void {
    this.#host.record(fault, this.number, direction, action, detail)
  }

  heldLimitReached(): void {
    this.#host.heldLimitReached()
  }

  get dialMs(): number {
    return (this.#connectedMs ?? this.clock.now()) - this.acceptedMs
  }

  shared<Value>(fault: InstalledFault, make: () => Value): Value {
    if (!this.#shared.has(fault)) this.#shared.set(fault, make())
    return this.#shared.get(fault) as Value
  }

  random(direction: Direction, fault: InstalledFault, purpose: string): Random {
    return new Random(...this.randomKey(direction), fault.name, purpose)
  }

  event(type: SessionEvent, detail: InjectionDetail): void {
    this.#host.event(this.number, type, detail)
  }

  addFault(fault: InstalledFault): void {
    if (fault.definition.layer === 'connection') this.#addLimit(fault)
    else if (fault.definition.layer === 'message') this.#session?.addFault(fault)
    else if (this.#chosenBy(fault)) for (const pipe of this.#pipes(fault)) pipe.addFault(fault)
  }

  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    if (fault.definition.layer === 'connection') {
      this.#limits?.remove(fault)
      this.#addLimit(fault)
    } else if (fault.definition.layer === 'message') this.#session?.updateFault(fault)
    else if (this.#chosenBy(fault)) for (const pipe of this.#pipes(fault)) pipe.updateFault(fault, before)
    else for (const pipe of this.#pipes(fault)) pipe.removeFault(fault)
  }

  removeFault(fault: InstalledFault): void {
    if (fault.definition.layer === 'connection') this.#limits?.remove(fault)
    else if (fault.definition.layer === 'message') this.#session?.removeFault(fault)
    else for (const pipe of this.#pipes(fault)) pipe.removeFault(fault)
    this.#shared.delete(fault)
    this.#counted?.delete(fault)
  }

  /** FIN to both ends, after what has already been passed on; what still comes is dropped. */
  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#session?.dispose()
    this.#upstreamPipe.discard()
    this.#downstreamPipe.discard()
    for (const socket of [this.#client, this.#upstream]) endThenClose(socket)
  }

  /** Has the kernel look after both ends from now on; see {@link keepAlive}. */
  keepAlive(): void {
    if (this.#keptAlive) return
    this.#keptAlive = true
    keepAlive(this.#client)
    keepAlive(this.#upstream)
  }

  /** RST to both ends. */
  reset(): void {
    resetSocket(this.#client)
    resetSocket(this.#upstream)
  }

  /** Closes both sockets at once, whatever is on its way. */
  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }

  #addLimit(fault: InstalledFault): void {
    const rule = fault.rule as CompiledConnectionRule
    if (!rule.limit || !this.#chosenBy(fault)) return
    this.#limits ??= new ConnectionLimits(this)
    this.#limits.add(fault)
  }

  /** Whether a fault acts on this connection: by its match, its counts and its probability. */
  #chosenBy(fault: InstalledFault): boolean {
    const rule = fault.rule as ConnectionMatcher | undefined
    if (rule && !rule.matches(this)) return false
    // From the key alone, so that the answer for a connection and a fault is the same whenever it is asked; one for both
    // directions.
    const draw = (): number =>
      this.random(fault.direction === 'both' ? 'upstream' : fault.direction, fault, 'probability').next()
    if (!fault.counts) return fault.probability >= 1 || draw() < fault.probability
    // Counted once for a connection, whatever is changed later.
    this.#counted ??= new Map()
    let chosen = this.#counted.get(fault)
    if (chosen === undefined) this.#counted.set(fault, (chosen = fault.selection.select(fault, '', draw)))
    return chosen
  }

  get clientAddress(): string {
    return peerAddress(this.#client)
  }

  get localPort(): number {
    return this.#client.localPort ?? 0
  }

  limitReached(fault: InstalledFault, { afterMs, how }: ConnectionLimit): void {
    this.record(fault, 'downstream', how, { afterMs })
    if (how === 'close') this.close()
    else this.reset()
  }

  /** Reads in both directions. */
  get reads(): number {
    return this.#upstreamPipe.reads + this.#downstreamPipe.reads
  }

  #pipes(fault: InstalledFault): readonly Pipe[] {
    const { definition, direction } = fault
    const both = direction === 'both' || (definition.layer === 'stream' && definition.bothPipes === true)
    if (both) return [this.#upstreamPipe, this.#downstreamPipe]
    return [direction === 'upstream' ? this.#upstreamPipe : this.#downstreamPipe]
  }

  #upstreamFailed(error: Error): void {
    // An RST may come before we have heard of the connection that it ends.
    if (!this.#dialling || systemCode(error) === 'ECONNRESET') return this.#downstreamPipe.sourceFailed()
    // A server that can't be reached is told at once, past all faults: they act on what a server sends.
    this.#host.dialFailed(error)
    // Unless the proxy may answer by itself: then only a request that should go there misses it.
    const unmissed = this.#upstreamPipe.destinationMissing((how) => (how === 'write' ? this.reset() : this.close()))
    if (!unmissed || !this.#session?.answers) this.reset()
  }

  #socketClosed(): void {
    if (--this.#openSockets > 0) return
    this.#limits?.dispose()
    this.#session?.dispose()
    this.#upstreamPipe.dispose()
    this.#downstreamPipe.dispose()
    this.#closed(this)
  }
}

function endThenClose(socket: Socket): void {
  if (socket.destroyed) return
  if (socket.connecting) return void socket.destroy()
  finishSocket(socket, () => {
    const linger = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(linger))
  })
}
