// A body that is cut off: after how many bytes, and the stage that does it.
import { Type as Schema } from '@sinclair/typebox'
import { RESET_GRACE_MS } from '../../socket.ts'
import { givenOf } from './fields.ts'
import {
  HoldingStage,
  type FaultEnvironment,
  type Held,
  type HttpMessage,
  type Stage,
  type StageContext,
} from './http-fault.ts'

export interface CutAttributes {
  readonly afterBytes?: number
  readonly fraction?: number
}

export const cutFields = {
  afterBytes: Schema.Optional(
    Schema.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Bytes of the body that pass, as they are on the wire but without chunk sizes. Shorter bodies pass.',
    }),
  ),
  fraction: Schema.Optional(
    Schema.Number({
      minimum: 0,
      maximum: 1,
      description:
        'Share of the body that passes. Default 0.5 without afterBytes. Of a body without Content-Length: the share of ' +
        'the first bytes of it that arrive, as nobody knows how many will follow.',
    }),
  ),
}

const DEFAULT_FRACTION = 0.5

/** @throws FaultlineError if both are given */
export function checkCut(attributes: CutAttributes, environment: FaultEnvironment): void {
  givenOf(attributes, ['afterBytes', 'fraction'], environment)
}

/** The stage for a message's body. */
export function cutStage(
  { afterBytes, fraction = DEFAULT_FRACTION }: CutAttributes,
  { body, contentLength }: HttpMessage,
  signal: 'reset' | 'close',
  action: string,
): (context: StageContext) => Stage<unknown> {
  const limitOf = (bytes: number): number => Math.floor(bytes * fraction)
  const limitBytes = afterBytes ?? (body === 'length' ? limitOf(contentLength) : undefined)
  return (context) => new CutStage({ limitBytes, limitOf, signal, action }, context)
}

interface Cut {
  /** Undefined until the first bytes have come. */
  readonly limitBytes: number | undefined
  readonly limitOf: (firstBytes: number) => number
  readonly signal: 'reset' | 'close'
  readonly action: string
}

/** Ends the connection behind bytes that it has passed on. */
export abstract class EndingStage<Attributes> extends HoldingStage<Attributes> {
  protected endConnection(signal: 'reset' | 'close'): void {
    this.hold(signal, signal === 'reset' ? RESET_GRACE_MS : 0)
  }

  protected override dueMs({ arrivedMs, delayMs }: Held): number {
    return arrivedMs + delayMs
  }
}

class CutStage extends EndingStage<Cut> {
  #limitBytes = this.attributes.limitBytes
  #passedBytes = 0
  #done = false

  override write(chunk: Buffer): void {
    if (this.#done) return
    const leftBytes = (this.#limitBytes ??= this.attributes.limitOf(chunk.length)) - this.#passedBytes
    const passed = chunk.length <= leftBytes ? chunk : chunk.subarray(0, leftBytes)
    this.#passedBytes += passed.length
    if (passed.length > 0) this.next.write(passed)
    if (passed.length === leftBytes) this.#cut()
  }

  override end(): void {
    if (!this.#done) this.next.end()
  }

  #cut(): void {
    this.#done = true
    const { signal, action } = this.attributes
    this.context.record(action, { offset: this.#passedBytes })
    this.endConnection(signal)
  }
}
