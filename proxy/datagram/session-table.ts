// The sessions of a proxy: found by the client's address and port, ended when no packet has come for too long.
import type { Clock } from '../clock.ts'
import { Deadline } from '../faults/deadline.ts'
import type { DatagramSession } from './session.ts'

export class SessionTable {
  readonly #clock: Clock
  readonly #idleTimeoutMs: number
  readonly #expired: (session: DatagramSession) => void
  /** Hardly ever more than one for a port; so no key has to be made of address and port for each packet. */
  readonly #byPort = new Map<number, DatagramSession[]>()
  /** In the order of their numbers. */
  readonly #all = new Set<DatagramSession>()
  /** In the order of their latest packets, so that those that are idle for longest come first. */
  readonly #byUse = new Set<DatagramSession>()
  #latest: DatagramSession | undefined
  /** When the first may be idle for too long; later packets of it do not move this. */
  readonly #deadline: Deadline

  constructor(clock: Clock, idleTimeoutMs: number, expired: (session: DatagramSession) => void) {
    this.#clock = clock
    this.#idleTimeoutMs = idleTimeoutMs
    this.#expired = expired
    this.#deadline = new Deadline(clock, () => this.#expire())
  }

  get all(): ReadonlySet<DatagramSession> {
    return this.#all
  }

  find(address: string, port: number): DatagramSession | undefined {
    const sessions = this.#byPort.get(port)
    if (!sessions) return undefined
    for (const session of sessions) if (session.clientAddress === address) return session
    return undefined
  }

  /** The one without a packet for longest. */
  get oldest(): DatagramSession | undefined {
    for (const session of this.#byUse) return session
    return undefined
  }

  add(session: DatagramSession): void {
    const samePort = this.#byPort.get(session.clientPort)
    if (samePort) samePort.push(session)
    else this.#byPort.set(session.clientPort, [session])
    this.#all.add(session)
    this.#byUse.add(session)
    this.#latest = session
    if (this.#byUse.size === 1) this.#setDeadline()
  }

  /** A packet has come. */
  touch(session: DatagramSession): void {
    session.lastPacketMs = this.#clock.now()
    // Most packets are of the session that has had the one before.
    if (session === this.#latest || !this.#byUse.delete(session)) return
    this.#byUse.add(session)
    this.#latest = session
  }

  remove(session: DatagramSession): void {
    if (!this.#byUse.delete(session)) return
    this.#all.delete(session)
    if (this.#latest === session) this.#latest = undefined
    const others = this.#byPort.get(session.clientPort)?.filter((other) => other !== session) ?? []
    if (others.length > 0) this.#byPort.set(session.clientPort, others)
    else this.#byPort.delete(session.clientPort)
    if (this.#byUse.size === 0) this.#deadline.clear()
  }

  #setDeadline(): void {
    const first = this.oldest
    if (first) this.#deadline.set(first.lastPacketMs + this.#idleTimeoutMs)
  }

  #expire(): void {
    const nowMs = this.#clock.now()
    for (let first = this.oldest; first && first.lastPacketMs + this.#idleTimeoutMs <= nowMs; first = this.oldest) {
      this.remove(first)
      this.#expired(first)
    }
    this.#setDeadline()
  }
}
