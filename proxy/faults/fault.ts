// What a fault is: a type with attributes, a schema for them, and the stage that acts. All that a fault file imports.
import type { TObject, TSchema } from '@sinclair/typebox'
import type { Address } from '../address.ts'
import { FaultlineError } from '../errors.ts'
import type { InjectionDetail } from '../injection-log.ts'
import type { ProtocolName } from '../protocols/protocol.ts'
import { describeValue } from '../validate.ts'
import type { DatagramFault } from './datagram/datagram-fault.ts'
import type { Direction, FaultDirection, PipeContext, Stage } from './stage.ts'

export { Type as Schema } from '@sinclair/typebox'
export { Deadline } from './deadline.ts'
export { HoldingStage, type Held } from './holding-stage.ts'
export {
  Stage,
  type Direction,
  type FaultDirection,
  type PipeContext,
  type Signal,
  type Sink,
  type StageContext,
} from './stage.ts'

/** What a proxy's clients speak. Faults of one are none of the other: a stream loses no byte, datagrams get lost. */
export type Transport = 'tcp' | 'udp'

/** A fault as people ask for it: what {@link FaultDefinition} builds, what APIs and configuration files say. */
export interface FaultSpec {
  /** A type of the registry, e.g. `latency`. */
  readonly type: string
  /** Unique on its proxy. Default `<type>_<direction>`. */
  readonly name?: string
  /** Default `downstream`. */
  readonly direction?: FaultDirection
  /** The share of connections (of messages, for message faults) it acts on, 0 to 1, drawn for each. Default 1. */
  readonly probability?: number
  /** As the type's schema says; what is left out gets the schema's default. */
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Which connections it is for (client address, number, local port); message faults: which messages. Default all. */
  readonly match?: Readonly<Record<string, unknown>>
  /** Lets the first so many connections (message faults: messages, datagram faults: packets) that match pass. Default 0. */
  readonly skip?: number
  /** Acts on so many connections (message faults: messages, datagram faults: packets), then never again. Default: always. */
  readonly times?: number
  /** Acts on every nth that matches. Default 1. */
  readonly every?: number
  /**
   * Message faults: `skip`, `times` and `every` count for each value of this: with http a header of the request, with
   * postgres `user`, `database`, `applicationName` or `query`.
   */
  readonly key?: string
  /** It is removed by itself after so many milliseconds, whatever becomes of the one who added it. */
  readonly ttlMs?: number
  /** The id of a lease: it is removed when that ends. */
  readonly lease?: string
  /** A fault that is not enabled stays and acts nowhere. Enabled again, it acts behind all others. Default true. */
  readonly enabled?: boolean
}

/** A fault that acts on the bytes of a connection, one direction at a time. */
export interface StreamFault<Attributes extends object = object> {
  readonly type: string
  readonly layer: 'stream'
  /** One or two sentences for the reference. */
  readonly describe: string
  /** An object of attributes, each with unit, default and bounds. Validation, API and reference come from it. */
  readonly schema: TSchema & { readonly static: Attributes }
  /** There is a stage in both pipes of a connection, whichever direction the fault has. Default: only in that one. */
  readonly bothPipes?: boolean
  /** It is about a connection as a whole, so that its direction is always `both`. */
  readonly undirected?: boolean
  /** Checks what the schema can't say. @throws FaultlineError naming an attribute, by `environment.field` */
  check?(attributes: Attributes, environment: FaultEnvironment, scope: FaultScope): void
  /** Makes the running form for one direction of one connection. Must not act yet: {@link Stage.start} comes later. */
  create(attributes: Attributes, context: PipeContext): Stage<Attributes>
  /**
   * Makes what acts on the proxy as a whole, beside its connections' stages, whenever the proxy begins to listen.
   *
   * @throws FaultlineError naming an attribute; then it must have left no trace
   */
  install?(fields: InstallationFields<Attributes>, host: InstallationHost): Installation<Attributes>
}

/** For which connections a fault is. */
export interface FaultScope {
  /** For some only: by probability, match, skip, times or every. */
  readonly chooses: boolean
}

export interface InstallationFields<Attributes = object> {
  readonly attributes: Attributes
  readonly probability: number
  readonly direction: FaultDirection
}

/** What an installation may use of its proxy. */
export interface InstallationHost {
  /** Where the proxy listens, an IP address; `::` and `0.0.0.0` are all interfaces. */
  readonly listen: Address
  /** Puts an act of the fault on record that belongs to no connection. */
  record(direction: Direction, action: string, detail: InjectionDetail): void
  /** For what goes wrong where nobody can be told. */
  failed(error: Error): void
}

/** The running form of a fault on a proxy as a whole, while that listens. All of it is synchronous. */
export interface Installation<Attributes = object> {
  /** @throws FaultlineError naming an attribute; then all must be as it was */
  update(fields: InstallationFields<Attributes>): void
  /** The fault is removed, or the proxy stops to listen. Never throws. */
  remove(): void
}

/** What a message fault is compiled from. */
export interface FaultFields {
  readonly attributes: object
  readonly match: object
  readonly direction: FaultDirection
}

/** What a fault may use while it is compiled. */
export interface FaultEnvironment {
  /** The full name of a field, for messages. */
  field(name: string): string
  /** Reads a file that an attribute names. @throws FaultlineError naming the field, also if none may be read */
  readFile(path: string, field: string): Buffer
}

/** A fault that acts on the messages of a protocol. Its protocol's session runs what {@link MessageFault.compile} made. */
export interface MessageFault {
  readonly type: string
  readonly layer: 'message'
  /** The one protocol that carries it. */
  readonly protocol: ProtocolName
  readonly describe: string
  /** An object of attributes, each with unit, default and bounds. */
  readonly schema: TSchema
  readonly matchSchema: TObject
  /** What `key` may name. Default: any header. */
  readonly keys?: readonly string[]
  /**
   * Builds the running form, which belongs to the protocol's session, and tells whose messages it disturbs.
   *
   * @throws FaultlineError naming the field that can't work
   */
  compile(
    fields: FaultFields,
    environment: FaultEnvironment,
  ): { readonly direction: FaultDirection; readonly rule: unknown }
}

export interface ConnectionFaultFields {
  readonly attributes: object
  readonly match: object
  /** It is to act on some connections only: by probability, skip, times or every. */
  readonly chooses: boolean
}

/** A fault that decides on connections as such. */
export interface ConnectionFault {
  readonly type: string
  readonly layer: 'connection'
  readonly describe: string
  readonly schema: TSchema
  readonly matchSchema: TObject
  /** @throws FaultlineError naming the field that can't work */
  compile(fields: ConnectionFaultFields, environment: FaultEnvironment): unknown
}

/** Any entry of the registry. */
export type FaultDefinition = StreamFault | MessageFault | ConnectionFault | DatagramFault

/** The error for an attribute that its schema lets through and that can't work. */
export function invalidField(field: string, expected: string, value: unknown): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}

/** Called with attributes, builds a {@link FaultSpec}: `proxy.addFault({ ...latency({ latency: 100 }), name: 'slow' })`. */
export type FaultBuilder<Attributes extends object> = (attributes?: Partial<Attributes>) => FaultSpec

/** Defines a fault. The result is the definition and a builder of specs in one. */
export function defineFault<Attributes extends object>(
  definition: StreamFault<Attributes>,
): StreamFault<Attributes> & FaultBuilder<Attributes> {
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type: definition.type, attributes })
  return Object.assign(build, definition)
}
