// Carries datagrams: a UDP socket for all clients, and a session for each of them.
import { describeEnd, type Carrier, type CarrierHost } from '../carrier.ts'
import { parseAddress } from '../address.ts'
import type { Direction } from '../faults/fault.ts'
import type { InstalledFault } from '../installed-fault.ts'
import type { UdpOptions } from '../protocols/udp.ts'
import { SessionTable } from './session-table.ts'
import { DatagramSession, type SessionOwner } from './session.ts'
import { hasRoom, listenForPackets, type RemoteInfo, type Socket } from './socket.ts'

export class DatagramCarrier implements Carrier, SessionOwner {
  readonly #host: CarrierHost
  readonly #options: UdpOptions
  readonly #sessions: SessionTable
  /** What a fault's stages in all sessions share, by direction. */
  readonly #shared: Readonly<Record<Direction, Map<InstalledFault, unknown>>> = {
    upstream: new Map(),
    downstream: new Map(),
  }
  #listener: Socket | undefined
  #localPort = 0

  constructor(host: CarrierHost, options: UdpOptions) {
    this.#host = host
    this.#options = options
    this.#sessions = new SessionTable(host.clock, options.idleTimeoutMs, (session) => void this.#end(session))
  }

  /** In the order of their numbers. */
  get connections(): ReadonlySet<DatagramSession> {
    return this.#sessions.all
  }

  get listening(): boolean {
    return this.#listener !== undefined
  }

  async open(listen: string): Promise<string> {
    const { socket, address } = await listenForPackets(listen, (packet, from) => this.#receive(packet, from))
    socket.on('error', (error) => this.#host.acceptFailed(error))
    this.#listener = socket
    this.#localPort = parseAddress(address, 'listen').port
    return address
  }

  shut(): void {
    this.#listener?.close()
    this.#listener = undefined
  }

  async close(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    const closed = new Promise<void>((resolve) => (listener ? listener.close(() => resolve()) : resolve()))
    const ended = [...this.#sessions.all].map((session) => this.#end(session))
    await Promise.all([closed, ...ended])
  }

  // ---- packets ---------------------------------------------------------------------------------------------------

  #receive(packet: Buffer, { address, port }: RemoteInfo): void {
    const session = this.#sessions.find(address, port) ?? this.#begin(address, port)
    session.receive(packet)
  }

  #begin(address: string, port: number): DatagramSession {
    const oldest = this.#sessions.oldest
    if (oldest && this.#sessions.all.size >= this.#options.maxSessions) void this.#end(oldest)
    const number = ++this.#host.counters.acceptedConnections
    const session = new DatagramSession(this.#host, this, number, address, port)
    this.#sessions.add(session)
    this.#host.connectionEvent(number, 'connection_opened', {})
    session.dial()
    return session
  }

  #end(session: DatagramSession): Promise<void> {
    this.#sessions.remove(session)
    const { number } = session
    this.#host.connectionEvent(number, 'connection_closed', describeEnd(session, this.#host.clock.now()))
    return session.end()
  }

  // ---- for sessions ----------------------------------------------------------------------------------------------

  get localPort(): number {
    return this.#localPort
  }

  answer(packet: Buffer, { clientPort, clientAddress }: DatagramSession): void {
    const listener = this.#listener
    if (listener && hasRoom(listener)) listener.send(packet, clientPort, clientAddress)
  }

  packetCame(session: DatagramSession): void {
    this.#sessions.touch(session)
  }

  sessionFailed(session: DatagramSession): void {
    void this.#end(session)
  }

  shared<Value>(fault: InstalledFault, direction: Direction, make: () => Value): Value {
    const values = this.#shared[direction]
    if (!values.has(fault)) values.set(fault, make())
    return values.get(fault) as Value
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  addFault(fault: InstalledFault): void {
    for (const session of this.#sessions.all) session.addFault(fault)
  }

  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    for (const session of this.#sessions.all) session.updateFault(fault, before)
  }

  removeFault(fault: InstalledFault): void {
    for (const session of this.#sessions.all) session.removeFault(fault)
    for (const values of Object.values(this.#shared)) values.delete(fault)
  }
}
