// What a kind of stressor is, as the supervisor knows it: a type with attributes, and the plan that they come to on this
// machine. What the child process then does is a load (child/load.ts). All that a kind's definition imports.
import type { TSchema } from '@sinclair/typebox'
import { FaultlineError } from '../proxy/errors.ts'
import { describeValue } from '../proxy/describe-value.ts'
import type { Machine } from './machine/machine.ts'

/** Numbers with their unit in the name, e.g. `{ loadPercent: 50, cpuCores: 1 }`. */
export type Figures = Readonly<Record<string, number>>

/** What a plan is made from, beside the attributes. */
export interface PlanContext {
  /** The limits of the machine, or of the container that this process is in. */
  readonly machine: Machine
  readonly rampUpMs: number
  readonly ttlMs: number
  /** So much memory has to stay free, where the machine's own floor is lower. */
  readonly memoryFloorBytes: number
  /** So much space has to stay free on a disk, where the disk's own floor is lower. */
  readonly diskFloorBytes: number
  /** Threads that other stressors have running. */
  readonly threadsInUse: number
  /** {@link Plan.giveBackShare} of all other stressors. */
  readonly giveBackShareInUse: number
  /** The full name of an attribute, for messages. */
  readonly field: (name: string) => string
}

/** What a stressor will do, worked out before anything acts; also what a dry run shows. */
export interface Plan<Task = unknown> {
  /** What it will try to reach. Where a limit or a floor caps what was asked for, the capped value is here… */
  readonly requested: Figures
  /** …and a sentence here says so. */
  readonly notes: readonly string[]
  /** How many threads will compute at a time. Default 0. */
  readonly threads?: number
  /**
   * Of what all stressors together can give back within the second that an emergency stop may take, 0 to 1: what this one
   * will have. Default 0: it makes no difference.
   */
  readonly giveBackShare?: number
  /** For the load in the child process; has to survive JSON. */
  readonly task: Task
}

export interface StressorDefinition<Attributes extends object = object, Task = unknown> {
  readonly type: string
  /** One or two sentences for the reference. */
  readonly describe: string
  /** An object of attributes, each with unit, default and bounds. Validation, API and reference come from it. */
  readonly schema: TSchema & { readonly static: Attributes }
  /**
   * Its load has to undo something when it ends, e.g. let a stopped process go on. Then the child is not killed outright
   * when its parent dies, but notices it by itself, within the lease's second at the latest. Default: what it takes is
   * given back by the kernel.
   */
  readonly undoes?: boolean
  /**
   * An emergency stop does not kill its process before it had a chance to let go by itself: what the kernel would do then
   * is less, e.g. end connections so that the other side may keep them. Default: killed at once, which is faster.
   */
  readonly letsGo?: boolean
  /**
   * Checks what the schema can't say, and works out the numbers. Must change nothing. A promise where others have to be
   * asked first.
   *
   * @throws FaultlineError naming an attribute, by {@link invalidAttribute}; or `stressor_refused`, by {@link refusal}
   */
  plan(attributes: Attributes, context: PlanContext): Plan<Task> | Promise<Plan<Task>>
}

/** Defines a kind of stressor. */
export function defineStressor<Attributes extends object, Task>(
  definition: StressorDefinition<Attributes, Task>,
): StressorDefinition<Attributes, Task> {
  return definition
}

/** The error for an attribute that its schema lets through and that can't work. */
export function invalidAttribute(field: string, expected: string, value: unknown): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}

/** The error for what the machine can't bear, or where the platform lacks what would make it safe. */
export function refusal(message: string): FaultlineError {
  return new FaultlineError('stressor_refused', message)
}
