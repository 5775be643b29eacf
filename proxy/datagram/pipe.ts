// One direction of a session: packets come in, pass the stages of the faults on it, and go out.
import type { DatagramFault, DatagramStage, PacketSink } from '../faults/datagram/datagram-fault.ts'
import type { Direction } from '../faults/fault.ts'
import type { InstalledFault } from '../installed-fault.ts'
import type { Traffic } from '../pipe.ts'
import { SessionStageContext, type StageHost } from './stage-context.ts'

interface ActiveStage {
  readonly fault: InstalledFault
  readonly stage: DatagramStage<unknown>
}

/** Shared by all pipes without faults. */
const NO_STAGES: readonly ActiveStage[] = Object.freeze<ActiveStage[]>([])

export class DatagramPipe implements PacketSink, Traffic {
  readonly direction: Direction
  readonly #host: StageHost
  readonly #traffic: Traffic
  readonly #send: (packet: Buffer) => void
  /** Through this pipe. */
  receivedBytes = 0
  sentBytes = 0
  #stages: readonly ActiveStage[] = NO_STAGES
  /** The first stage, or the pipe itself. */
  #first: PacketSink = this

  /** @param send to the pipe's end */
  constructor(direction: Direction, host: StageHost, traffic: Traffic, send: (packet: Buffer) => void) {
    this.direction = direction
    this.#host = host
    this.#traffic = traffic
    this.#send = send
  }

  /** Bytes held back by stages. */
  get heldBytes(): number {
    let bytes = 0
    for (const { stage } of this.#stages) bytes += stage.heldBytes
    return bytes
  }

  /** Whether a fault acts here. */
  has(fault: InstalledFault): boolean {
    return this.#stages.some((entry) => entry.fault === fault)
  }

  /** A packet has come from the pipe's source. */
  receive(packet: Buffer): void {
    this.#traffic.receivedBytes += packet.length
    this.receivedBytes += packet.length
    this.#first.write(packet)
  }

  /** The last sink. */
  write(packet: Buffer): void {
    this.#traffic.sentBytes += packet.length
    this.sentBytes += packet.length
    this.#send(packet)
  }

  /** Lets a fault act here from now on, behind those that are here. */
  addFault(fault: InstalledFault): void {
    this.#insert(fault, this.#stages.length)
  }

  /** The settings of a fault that is to act here have changed. `before` are the faults that were created before it. */
  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    const active = this.#stages.find((entry) => entry.fault === fault)
    if (active) active.stage.update(fault.attributes)
    else this.#insert(fault, this.#stages.filter((entry) => before.has(entry.fault)).length)
  }

  /** Takes a fault off; what it holds passes on before anything that comes later. */
  removeFault(fault: InstalledFault): void {
    const active = this.#stages.find((entry) => entry.fault === fault)
    if (!active) return
    this.#stages = this.#stages.filter((entry) => entry !== active)
    active.stage.flush()
    this.#relink()
  }

  /** The session is gone. */
  dispose(): void {
    for (const { stage } of this.#stages) stage.dispose()
    this.#stages = NO_STAGES
    this.#first = NOWHERE
  }

  #insert(fault: InstalledFault, index: number): void {
    const definition = fault.definition as DatagramFault
    const context = new SessionStageContext(this.#host, this.direction, fault)
    const stage = definition.create(fault.attributes, context) as DatagramStage<unknown>
    this.#stages = this.#stages.toSpliced(index, 0, { fault, stage })
    this.#relink()
  }

  #relink(): void {
    let next: PacketSink = this
    for (const { stage } of this.#stages.toReversed()) {
      stage.next = next
      next = stage
    }
    this.#first = next
  }
}

const NOWHERE: PacketSink = { write() {} }
