// Packets that arrive more than once.
import { MAX_DELAY_MS } from '../../delay.ts'
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'
import { PacketDelays } from './packet-delays.ts'

export interface DuplicateAttributes {
  readonly rate: number
  readonly copies: number
  readonly delayMs: number
}

class DuplicateStage extends DatagramStage<DuplicateAttributes> {
  /** Copies under way. */
  readonly #delayed: PacketDelays

  constructor(attributes: DuplicateAttributes, context: DatagramContext) {
    super(attributes, context)
    this.#delayed = new PacketDelays(context, (packet) => this.next.write(packet))
  }

  override get heldBytes(): number {
    return this.#delayed.heldBytes
  }

  protected override arrive(packet: Buffer, number: number): void {
    const { rate, copies, delayMs } = this.attributes
    this.next.write(packet)
    if (this.context.random.at(number) >= rate || !this.context.selects()) return
    this.context.record('duplicate', { packet: number, copies, delayMs })
    for (let copy = 0; copy < copies; copy++) {
      if (delayMs === 0) this.next.write(packet)
      else if (this.#delayed.takes(packet)) this.#delayed.add(packet, this.context.clock.now() + delayMs)
    }
  }

  override flush(): void {
    this.#delayed.flush()
  }

  override dispose(): void {
    this.#delayed.dispose()
  }
}

export const duplicate = defineDatagramFault<DuplicateAttributes>({
  type: 'duplicate',
  layer: 'datagram',
  describe: 'Sends a share of the packets more than once.',
  schema: Schema.Object({
    rate: Schema.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description: 'Share of packets that are doubled, 0 to 1.',
    }),
    copies: Schema.Integer({
      default: 1,
      minimum: 1,
      maximum: 100,
      description: 'How many more than the one that was sent.',
    }),
    delayMs: Schema.Integer({
      default: 0,
      minimum: 0,
      maximum: MAX_DELAY_MS,
      description: 'How long after it they come, in milliseconds; 0 = right behind it.',
    }),
  }),
  chooses: 'packets',
  create: (attributes, context) => new DuplicateStage(attributes, context),
})
