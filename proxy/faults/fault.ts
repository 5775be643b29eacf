// What a fault is: a type with attributes, a schema for them, and the stage that acts. All that a fault file imports.
import type { TSchema } from '@sinclair/typebox'
import type { Direction, Stage, StageContext } from './stage.ts'

export { Type as Schema } from '@sinclair/typebox'
export { Deadline } from './deadline.ts'
export { HoldingStage, type Held } from './holding-stage.ts'
export { Stage, type Direction, type Signal, type Sink, type StageContext } from './stage.ts'

/** A fault as people ask for it: what {@link FaultDefinition} builds, what APIs and configuration files say. */
export interface FaultSpec {
  /** A type of the registry, e.g. `latency`. */
  readonly type: string
  /** Unique on its proxy. Default `<type>_<direction>`. */
  readonly name?: string
  /** Default `downstream`. */
  readonly direction?: Direction
  /** The share of connections it acts on, 0 to 1, drawn once for each connection. Default 1. */
  readonly probability?: number
  /** As the type's schema says; what is left out gets the schema's default. */
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** A fault that acts on the bytes of a connection, one direction at a time. */
export interface StreamFault<Attributes extends object = object> {
  readonly type: string
  readonly layer: 'stream'
  /** One or two sentences for the reference. */
  readonly describe: string
  /** An object of attributes, each with unit, default and bounds. Validation, API and reference come from it. */
  readonly schema: TSchema & { readonly static: Attributes }
  /** Makes the running form for one direction of one connection. Must not act yet: {@link Stage.start} comes later. */
  create(attributes: Attributes, context: StageContext): Stage<Attributes>
}

/** Any entry of the registry. Other layers (connection, message, datagram) join this union. */
export type FaultDefinition = StreamFault

/** Called with attributes, builds a {@link FaultSpec}: `proxy.addFault({ ...latency({ latency: 100 }), name: 'slow' })`. */
export type FaultBuilder<Attributes extends object> = (attributes?: Partial<Attributes>) => FaultSpec

/** Defines a fault. The result is the definition and a builder of specs in one. */
export function defineFault<Attributes extends object>(
  definition: StreamFault<Attributes>,
): StreamFault<Attributes> & FaultBuilder<Attributes> {
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type: definition.type, attributes })
  return Object.assign(build, definition)
}
