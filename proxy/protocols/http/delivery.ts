// A message on its way out: its head and body go through the stages of faults and get their framing again.
import type { Stage } from '../../faults/fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { MessageOutput } from '../protocol.ts'
import { StageChain } from '../stage-chain.ts'
import { BodyWriter } from './body-writer.ts'
import { MAX_EDITED_BODY_BYTES, type Decision } from './decision.ts'

/** How the bytes of a message's body are to be treated. */
export type BodyMode = 'raw' | 'staged' | 'drop'

/** What a delivery tells its flow. */
export interface DeliveryEvents {
  /** The head has been passed on. `replaced`: a new body follows by itself, and then {@link DeliveryEvents.bodyDone}. */
  headDone(mode: BodyMode, replaced: boolean): void
  /** A body has come out of its stages; with `replaced` the one that it stands for may still be coming. */
  bodyDone(replaced: boolean): void
  /** A stage ends the connection. */
  died(how: 'close' | 'reset'): void
  /** The request is too long to be sent twice. */
  notRepeated(fault: InstalledFault, reason: string): void
}

export class Delivery {
  readonly #output: MessageOutput
  readonly #events: DeliveryEvents
  #head: StageChain | undefined
  #body: StageChain | undefined
  #writer: BodyWriter | undefined
  #trailers: Buffer[] = []
  /** A copy of all that has been written, of a message that is sent twice. */
  #tape: Buffer[] | undefined
  #tapeBytes = 0
  #duplicate: Decision['duplicate']

  constructor(output: MessageOutput, events: DeliveryEvents) {
    this.#output = output
    this.#events = events
  }

  get heldBytes(): number {
    return (this.#head?.heldBytes ?? 0) + (this.#body?.heldBytes ?? 0)
  }

  get full(): boolean {
    return this.#head?.full === true || this.#body?.full === true
  }

  /** True while stages have a part of a message. */
  get busy(): boolean {
    return this.#head !== undefined || this.#body !== undefined
  }

  /** True while the body goes through stages. */
  get staged(): boolean {
    return this.#body !== undefined
  }

  /** Passes on bytes as they are. */
  pass(bytes: Buffer): void {
    this.#output.write(bytes)
    if (this.#tape) this.#copy(bytes)
  }

  /** Passes on a message that faults have decided on; its body is to come by {@link Delivery.content}. */
  begin(decision: Decision): void {
    const { content, bodiless, bodyStages } = decision
    if (decision.duplicate) this.#startTape(decision.duplicate)
    const staged = !bodiless && (content !== undefined || bodyStages.length > 0)
    const framing = staged ? decision.frameBody() : undefined
    const chain = new StageChain({
      write: (bytes) => this.pass(bytes),
      end: () => {
        this.#head = undefined
        if (framing) this.#beginBody(decision, framing)
        else this.#events.headDone(bodiless ? 'drop' : 'raw', false)
      },
      close: () => this.#events.died('close'),
      reset: () => this.#events.died('reset'),
    })
    this.#head = chain
    for (const { fault, stage } of decision.headStages) chain.add(fault, stage)
    chain.first.write(decision.head.toBuffer())
    chain.first.end()
  }

  #beginBody({ content, bodyStages }: Decision, { chunked, closes }: { chunked: boolean; closes: boolean }): void {
    const replaced = content !== undefined
    const chain = this.#startBody(chunked, closes, replaced)
    for (const { fault, stage } of bodyStages) chain.add(fault, stage)
    this.#events.headDone(replaced ? 'drop' : 'staged', replaced)
    if (content === undefined) return
    if (content.length > 0) chain.first.write(content)
    chain.first.end()
  }

  /** Lets a stage take hold of a body that is on its way. */
  join(fault: InstalledFault, stage: Stage<unknown>, chunked: boolean): void {
    const chain = this.#body ?? this.#startBody(chunked, false, false)
    chain.add(fault, stage)
  }

  #startBody(chunked: boolean, closes: boolean, replaced: boolean): StageChain {
    const writer = new BodyWriter(this, chunked ? 'chunked' : 'unframed', (how) => {
      if (how !== 'end') return this.#events.died(how)
      this.#body = undefined
      if (closes) this.#events.died('close')
      else this.#events.bodyDone(replaced)
    })
    this.#writer = writer
    return (this.#body = new StageChain(writer))
  }

  /** For {@link BodyWriter}. */
  write(bytes: Buffer): void {
    this.pass(bytes)
  }

  /** Content of the body that goes through stages. */
  content(bytes: Buffer): void {
    this.#body?.first.write(bytes)
  }

  /** A part of what follows the last chunk. */
  trailers(bytes: Buffer): void {
    this.#trailers.push(Buffer.from(bytes))
  }

  /** The body that goes through stages has come to its end; it may leave them later. */
  end(): void {
    if (this.#writer && this.#trailers.length > 0) this.#writer.trailers = Buffer.concat(this.#trailers)
    this.#trailers = []
    this.#body?.first.end()
  }

  /** The message has been passed on. Returns a copy of it if it is to be sent twice. */
  complete(): Buffer | undefined {
    this.#body = undefined
    this.#writer = undefined
    const tape = this.#tape
    this.#tape = undefined
    if (!tape) return undefined
    this.#duplicate?.record()
    return Buffer.concat(tape)
  }

  /** No more of the message will come in good order: what stages hold goes on as it is. */
  cutOff(): void {
    const [head, body] = [this.#head, this.#body]
    this.#head = this.#body = undefined
    head?.flush()
    body?.flush()
  }

  removeFault(fault: InstalledFault): void {
    this.#head?.remove(fault)
    this.#body?.remove(fault)
  }

  dispose(): void {
    this.#head?.dispose()
    this.#body?.dispose()
  }

  #startTape(duplicate: Decision['duplicate']): void {
    this.#duplicate = duplicate
    this.#tape = []
    this.#tapeBytes = 0
  }

  #copy(bytes: Buffer): void {
    this.#tapeBytes += bytes.length
    if (this.#tapeBytes <= MAX_EDITED_BODY_BYTES) return void this.#tape?.push(Buffer.from(bytes))
    this.#tape = undefined
    if (this.#duplicate) {
      this.#events.notRepeated(this.#duplicate.fault, `the request is longer than ${MAX_EDITED_BODY_BYTES} bytes`)
    }
  }
}
