// The seam of protocols: what understands the messages of a connection stands between its sockets and its stages.
import type { TProperties } from '@sinclair/typebox'
import type { Address } from '../address.ts'
import type { Clock } from '../clock.ts'
import type { Transport } from '../faults/fault.ts'
import type { Direction, Sink } from '../faults/stage.ts'
import type { InjectionDetail } from '../injection-log.ts'
import type { InstalledFault } from '../installed-fault.ts'
import type { Random } from '../random.ts'

/** Plain TCP and UDP have no codec; the others bring theirs as a folder beside this file. */
export type ProtocolName = 'tcp' | 'http' | 'postgres' | 'udp'

/** An entry of the registry. */
export interface Protocol {
  readonly name: ProtocolName
  /** What it runs over. Default `tcp`. */
  readonly transport?: Transport
  /** What a proxy of this protocol can be told beyond what all can, as fields of its spec, each with its default. */
  readonly options: TProperties
  /**
   * Checks what the schemas of options can't say and prepares what all connections of a proxy share; the result is what
   * {@link Protocol.createSession} gets.
   *
   * @throws FaultlineError naming the option
   */
  prepare?(options: ProtocolOptions): unknown
  /** Called when a connection has been accepted, with the validated options or what prepare() made of them. Without it bytes just pass. */
  readonly createSession?: (host: SessionHost, prepared: unknown) => Session
}

export type ProtocolOptions = Readonly<Record<string, unknown>>

/** One direction of a connection, as the session in it sees what lies behind the messages. */
export interface MessageOutput extends Sink {
  /** True while the destination or a stage wants no more bytes. */
  readonly full: boolean
  /** To be called when the session's own {@link MessageInput.full} has changed outside write(). */
  updateFlow(): void
}

/** Where a direction's bytes come into a session. */
export interface MessageInput extends Sink {
  /** Bytes held back. */
  readonly heldBytes: number
  /** True while no more bytes are wanted: the source is paused. */
  readonly full: boolean
}

/** Where a source writes to. */
export interface SourceInput extends MessageInput {
  /**
   * Asked for chunks whose memory nobody will change. True: the chunk may pass as it is, past the session, which has
   * seen it. False: it is to be written here.
   */
  letPass(chunk: Buffer): boolean
}

/** What happens on a connection beyond faults. */
export type SessionEvent = 'opaque' | 'fault_not_applied'

/** What a session may use of its connection. */
export interface SessionHost {
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly output: Readonly<Record<Direction, MessageOutput>>
  /** Where the server is, as it was given. */
  readonly upstream: Address
  /** The generator for one purpose of a fault in one direction of this connection. */
  random(direction: Direction, fault: InstalledFault, purpose: string): Random
  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void
  /** Puts on record what users should know, e.g. that message faults can't act here any more. */
  event(type: SessionEvent, detail: InjectionDetail): void
  heldLimitReached(): void
}

/** The codecs of one connection and the message faults on it. All of it is synchronous. */
export interface Session {
  readonly input: Readonly<Record<Direction, SourceInput>>
  /** True while a fault may answer in place of the server, which need not be there then. */
  readonly answers?: boolean
  addFault(fault: InstalledFault): void
  /** Its settings have changed. */
  updateFault(fault: InstalledFault): void
  /** What it holds passes on at once. */
  removeFault(fault: InstalledFault): void
  /** A direction's output takes bytes again. */
  outputDrained(direction: Direction): void
  /** The connection is gone. */
  dispose(): void
}
