// What a fault of datagrams is: a type with attributes, and the stage that acts on the packets of one direction of one
// client's session. All that a fault file imports. Packets really are lost, doubled and out of order here.
import type { TSchema } from '@sinclair/typebox'
import type { Clock } from '../../clock.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { Random } from '../../random.ts'
import type { FaultBuilder, FaultEnvironment } from '../fault.ts'
import type { Direction } from '../stage.ts'

export { Type as Schema } from '@sinclair/typebox'
export type { Direction } from '../stage.ts'

/** Where packets go. */
export interface PacketSink {
  /** Takes a packet, whose memory nobody changes any more. */
  write(packet: Buffer): void
}

/** What a stage may use of the session it stands in. */
export interface DatagramContext {
  readonly clock: Clock
  /** Keyed by seed, proxy, session, direction and fault. A packet's number is its position. */
  readonly random: Random
  readonly direction: Direction
  /** Upper bound of what a stage holds, in bytes; what comes beyond is to be dropped. */
  readonly maxHeldBytes: number
  /**
   * Counts a packet that the fault would act on, and says whether it does: `skip`, `times` and `every` of the fault, over
   * all sessions.
   */
  selects(): boolean
  /** Puts an act of the fault on record. */
  record(action: string, detail: InjectionDetail): void
  /** To be called when {@link DatagramContext.maxHeldBytes} has made a stage drop a packet. */
  limitReached(): void
  /** What the stages of this fault in the same direction of all sessions share; made by the one that asks first. */
  shared<Value>(make: () => Value): Value
}

/**
 * The running form of a datagram fault in one direction of one session.
 *
 * Life: constructed and linked (`next` is set); {@link DatagramStage.update} whenever the attributes change; at the end
 * either {@link DatagramStage.flush} (the fault is removed) or {@link DatagramStage.dispose} (the session is gone).
 */
export abstract class DatagramStage<Attributes> implements PacketSink {
  next!: PacketSink
  protected attributes: Attributes
  protected readonly context: DatagramContext
  #packets = 0

  constructor(attributes: Attributes, context: DatagramContext) {
    this.attributes = attributes
    this.context = context
  }

  /** Bytes held back right now. */
  get heldBytes(): number {
    return 0
  }

  update(attributes: Attributes): void {
    this.attributes = attributes
  }

  write(packet: Buffer): void {
    this.arrive(packet, ++this.#packets)
  }

  /** @param number counts up from 1, in the order in which packets come to this stage */
  protected abstract arrive(packet: Buffer, number: number): void

  /** Passes on everything held, now. Must leave nothing held and no timer. */
  flush(): void {}

  /** Drops everything held. Must leave no timer. */
  dispose(): void {}
}

/** A fault that acts on the packets of a client's session, one direction at a time. */
export interface DatagramFault<Attributes extends object = object> {
  readonly type: string
  readonly layer: 'datagram'
  /** One or two sentences for the reference. */
  readonly describe: string
  /** An object of attributes, each with unit, default and bounds. */
  readonly schema: TSchema & { readonly static: Attributes }
  /**
   * What users may choose among. `packets`: clients by match and probability, their packets by `skip`, `times` and
   * `every`. `clients`: only those. `nothing`: it acts on all clients.
   */
  readonly chooses: 'packets' | 'clients' | 'nothing'
  /** It is about both directions, always. */
  readonly undirected?: boolean
  /** Nobody listens as long as it is there. */
  readonly refuses?: boolean
  /** Checks what the schema can't say. @throws FaultlineError naming an attribute, by `environment.field` */
  check?(attributes: Attributes, environment: FaultEnvironment): void
  /** Makes the running form for one direction of one session. */
  create(attributes: Attributes, context: DatagramContext): DatagramStage<Attributes>
}

/** Defines a datagram fault. The result is the definition and a builder of specs in one. */
export function defineDatagramFault<Attributes extends object>(
  definition: DatagramFault<Attributes>,
): DatagramFault<Attributes> & FaultBuilder<Attributes> {
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type: definition.type, attributes })
  return Object.assign(build, definition)
}
