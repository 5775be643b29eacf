// Packets that later ones overtake.
import { Deadline } from '../deadline.ts'
import { MAX_DELAY_MS } from '../../delay.ts'
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'
import { EARLY_MS, OVERHEAD_BYTES } from './packet-delays.ts'

export interface ReorderAttributes {
  readonly rate: number
  readonly gap: number
  readonly timeoutMs: number
}

interface Waiting {
  readonly packet: Buffer
  readonly dueMs: number
  /** How many more packets are to overtake it. */
  left: number
}

class ReorderStage extends DatagramStage<ReorderAttributes> {
  /** In the order of their arrival. Few, as each is gone after some packets more. */
  #waiting: Waiting[] = []
  #heldBytes = 0
  readonly #deadline: Deadline

  constructor(attributes: ReorderAttributes, context: DatagramContext) {
    super(attributes, context)
    this.#deadline = new Deadline(context.clock, () => this.#wake())
  }

  override get heldBytes(): number {
    return this.#heldBytes
  }

  protected override arrive(packet: Buffer, number: number): void {
    const { attributes, context } = this
    const hit = context.random.at(number) < attributes.rate
    const room = this.#heldBytes + packet.length + OVERHEAD_BYTES <= context.maxHeldBytes
    if (hit && !room) context.limitReached()
    if (hit && room && context.selects()) {
      context.record('hold', { packet: number, gap: attributes.gap })
      this.#heldBytes += packet.length + OVERHEAD_BYTES
      this.#waiting.push({ packet, dueMs: context.clock.now() + attributes.timeoutMs, left: attributes.gap })
      if (this.#waiting.length === 1) this.#setDeadline()
      return
    }
    this.next.write(packet)
    if (this.#waiting.length > 0) this.#overtaken()
  }

  /** Those held don't overtake each other: only a packet that passes counts. */
  #overtaken(): void {
    for (const waiting of this.#waiting) waiting.left--
    this.#release(({ left }) => left <= 0)
  }

  #wake(): void {
    const nowMs = this.context.clock.now() + EARLY_MS
    this.#release(({ dueMs }) => dueMs <= nowMs)
  }

  #release(isFree: (waiting: Waiting) => boolean): void {
    const free = this.#waiting.filter(isFree)
    if (free.length > 0) this.#waiting = this.#waiting.filter((waiting) => !free.includes(waiting))
    for (const { packet } of free) {
      this.#heldBytes -= packet.length + OVERHEAD_BYTES
      this.next.write(packet)
    }
    this.#setDeadline()
  }

  #setDeadline(): void {
    this.#deadline.clear()
    let dueMs = Infinity
    for (const waiting of this.#waiting) dueMs = Math.min(dueMs, waiting.dueMs)
    if (dueMs < Infinity) this.#deadline.set(dueMs - EARLY_MS)
  }

  override flush(): void {
    this.#release(() => true)
  }

  override dispose(): void {
    this.#deadline.clear()
    this.#waiting = []
    this.#heldBytes = 0
  }
}

export const reorder = defineDatagramFault<ReorderAttributes>({
  type: 'reorder',
  layer: 'datagram',
  describe:
    'Holds a share of the packets back until some later ones have overtaken them, or for a time if none come. Packets ' +
    'that are held do not overtake each other.',
  schema: Schema.Object({
    rate: Schema.Number({
      default: 0.1,
      minimum: 0,
      maximum: 1,
      description: 'Share of packets that are held, 0 to 1.',
    }),
    gap: Schema.Integer({ default: 1, minimum: 1, maximum: 1000, description: 'How many packets overtake each.' }),
    timeoutMs: Schema.Integer({
      default: 100,
      minimum: 1,
      maximum: MAX_DELAY_MS,
      description: 'The longest that each is held, in milliseconds.',
    }),
  }),
  chooses: 'packets',
  create: (attributes, context) => new ReorderStage(attributes, context),
})
