// Packets that get lost, each by itself or in bursts.
import { GilbertElliott } from '../packet-loss/gilbert-elliott.ts'
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'

export interface DropAttributes {
  readonly rate: number
  readonly burst: number
}

class DropStage extends DatagramStage<DropAttributes> {
  readonly #channel = new GilbertElliott()

  constructor(attributes: DropAttributes, context: DatagramContext) {
    super(attributes, context)
    this.update(attributes)
  }

  override update(attributes: DropAttributes): void {
    super.update(attributes)
    this.#channel.configure(attributes.rate, attributes.burst)
  }

  protected override arrive(packet: Buffer, number: number): void {
    if (this.#channel.loses(this.context.random.at(number)) && this.context.selects()) {
      this.context.record('drop', { packet: number, bytes: packet.length })
    } else this.next.write(packet)
  }
}

export const drop = defineDatagramFault<DropAttributes>({
  type: 'drop',
  layer: 'datagram',
  describe: 'Loses a share of the packets, each by itself or several in a row.',
  schema: Schema.Object({
    rate: Schema.Number({ default: 1, minimum: 0, maximum: 1, description: 'Share of packets that are lost, 0 to 1.' }),
    burst: Schema.Number({
      default: 1,
      minimum: 1,
      maximum: 10_000,
      description:
        'How many packets in a row are lost on average (Gilbert-Elliott); at 1 / (1 - rate) or less the fate of each ' +
        'is its own. The share stays the same.',
    }),
  }),
  chooses: 'packets',
  create: (attributes, context) => new DropStage(attributes, context),
})
