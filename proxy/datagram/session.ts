// One client's packets to the server and back: an upstream socket of its own, as the server tells clients by the port they
// come from, and the two pipes.
import type { CarrierHost, LiveConnection } from '../carrier.ts'
import type { Clock } from '../clock.ts'
import type { ConnectionFacts, ConnectionMatcher } from '../connection-match.ts'
import { systemCode } from '../errors.ts'
import type { Direction } from '../faults/fault.ts'
import type { InjectionDetail } from '../injection-log.ts'
import type { InstalledFault } from '../installed-fault.ts'
import type { Traffic } from '../pipe.ts'
import { Random } from '../random.ts'
import { DatagramPipe } from './pipe.ts'
import { connectToServer, hasRoom, lookUpServer, type Socket } from './socket.ts'
import type { StageHost } from './stage-context.ts'

/** What a session needs from its carrier. */
export interface SessionOwner {
  readonly localPort: number
  /** Sends a packet to the session's client. */
  answer(packet: Buffer, session: DatagramSession): void
  /** A packet has come, from either end. */
  packetCame(session: DatagramSession): void
  /** The server can't be reached at all: the session is over. */
  sessionFailed(session: DatagramSession): void
  shared<Value>(fault: InstalledFault, direction: Direction, make: () => Value): Value
}

/** Packets that wait for the server's name to be looked up; more are lost. */
const MAX_WAITING_PACKETS = 256

/** Errors for want of file descriptors: the server has no part in them. */
const EXHAUSTED = new Set<string | undefined>(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])

export class DatagramSession implements LiveConnection, ConnectionFacts, StageHost {
  readonly number: number
  readonly clientAddress: string
  readonly clientPort: number
  readonly localPort: number
  readonly acceptedMs: number
  /** When the latest packet came, from either end; see {@link SessionTable}. */
  lastPacketMs: number
  readonly #host: CarrierHost
  readonly #owner: SessionOwner
  readonly #upstreamPipe: DatagramPipe
  readonly #downstreamPipe: DatagramPipe
  #socket: Socket | undefined
  #connected = false
  /** Until the socket is connected. */
  #waiting: Buffer[] = []
  #unreachable = false
  #ended = false

  constructor(host: CarrierHost, owner: SessionOwner, number: number, clientAddress: string, clientPort: number) {
    this.#host = host
    this.#owner = owner
    this.number = number
    this.clientAddress = clientAddress
    this.clientPort = clientPort
    this.localPort = owner.localPort
    this.acceptedMs = this.lastPacketMs = host.clock.now()
    this.#upstreamPipe = new DatagramPipe('upstream', this, host.traffic.upstream, (packet) => this.#ask(packet))
    this.#downstreamPipe = new DatagramPipe('downstream', this, host.traffic.downstream, (packet) =>
      owner.answer(packet, this),
    )
    for (const fault of host.activeFaults) this.addFault(fault)
  }

  /** Opens the way to the server. Packets may come meanwhile. */
  dial(): void {
    const { upstreamAddress: upstream, upstream: given } = this.#host
    if (!upstream) return this.#failed(new Error(`upstream "${given}" is not host:port`))
    lookUpServer(upstream.host, (error, address) => {
      if (this.#ended) return
      if (error) return this.#failed(error)
      try {
        this.#socket = connectToServer(
          address,
          upstream.port,
          () => this.#serverReached(),
          (problem) => this.#failed(problem),
        )
      } catch (problem) {
        this.#failed(problem as Error)
      }
      if (this.#ended) this.#socket?.close() // it has failed at once
    })
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get maxHeldBytes(): number {
    return this.#host.maxHeldBytes
  }

  get traffic(): Readonly<Record<Direction, Readonly<Traffic>>> {
    return { upstream: this.#upstreamPipe, downstream: this.#downstreamPipe }
  }

  concerns(fault: InstalledFault): boolean {
    return this.#upstreamPipe.has(fault) || this.#downstreamPipe.has(fault)
  }

  get heldBytes(): number {
    return this.#upstreamPipe.heldBytes + this.#downstreamPipe.heldBytes
  }

  // ---- packets ---------------------------------------------------------------------------------------------------

  /** A packet has come from the client. */
  receive(packet: Buffer): void {
    this.#owner.packetCame(this)
    this.#upstreamPipe.receive(packet)
  }

  #serverReached(): void {
    if (this.#ended) return
    this.#connected = true
    this.#socket?.on('message', (packet) => {
      this.#owner.packetCame(this)
      this.#downstreamPipe.receive(packet)
    })
    for (const packet of this.#waiting) this.#ask(packet)
    this.#waiting = []
  }

  /** Sends a packet to the server. */
  #ask(packet: Buffer): void {
    if (this.#connected) {
      if (this.#socket && !this.#ended && hasRoom(this.#socket)) this.#socket.send(packet)
    } else if (this.#waiting.length < MAX_WAITING_PACKETS) this.#waiting.push(packet)
  }

  /** An ICMP error is one packet's: the next may get through. Without a socket there is no next. */
  #failed(error: Error): void {
    if (this.#ended) return
    if (EXHAUSTED.has(systemCode(error))) this.#host.acceptFailed(error)
    else if (!this.#unreachable) this.#host.dialFailed(error)
    this.#unreachable = true
    if (!this.#connected) this.#owner.sessionFailed(this)
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  addFault(fault: InstalledFault): void {
    if (this.#chosenBy(fault)) for (const pipe of this.#pipes(fault)) pipe.addFault(fault)
  }

  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    if (this.#chosenBy(fault)) for (const pipe of this.#pipes(fault)) pipe.updateFault(fault, before)
    else this.removeFault(fault)
  }

  removeFault(fault: InstalledFault): void {
    for (const pipe of this.#pipes(fault)) pipe.removeFault(fault)
  }

  /** From the key alone, so that the answer for a session and a fault is the same whenever it is asked. */
  #chosenBy(fault: InstalledFault): boolean {
    const rule = fault.rule as ConnectionMatcher | undefined
    if (rule && !rule.matches(this)) return false
    if (fault.probability >= 1) return true
    const direction = fault.direction === 'both' ? 'upstream' : fault.direction
    return this.random(direction, fault, 'probability').next() < fault.probability
  }

  #pipes({ direction }: InstalledFault): readonly DatagramPipe[] {
    if (direction === 'both') return [this.#upstreamPipe, this.#downstreamPipe]
    return [direction === 'upstream' ? this.#upstreamPipe : this.#downstreamPipe]
  }

  random(direction: Direction, fault: InstalledFault, purpose: string): Random {
    return new Random(this.#host.seed, this.#host.seedName, this.number, direction, fault.name, purpose)
  }

  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void {
    this.#host.record(fault, this.number, direction, action, detail)
  }

  heldLimitReached(): void {
    this.#host.heldLimitReached()
  }

  shared<Value>(fault: InstalledFault, direction: Direction, make: () => Value): Value {
    return this.#owner.shared(fault, direction, make)
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Nobody is told, as UDP has no way to. A packet that comes later begins a new session. */
  close(): void {
    this.reset()
  }

  reset(): void {
    if (!this.#ended) this.#owner.sessionFailed(this)
  }

  /** For the owner. Drops what faults hold. Resolves when the socket is closed. */
  end(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    this.#ended = true
    this.#waiting = []
    this.#upstreamPipe.dispose()
    this.#downstreamPipe.dispose()
    const socket = this.#socket
    return socket ? new Promise((resolve) => socket.close(() => resolve())) : Promise.resolve()
  }
}
