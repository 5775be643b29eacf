import { DatagramStage, defineDatagramFault, Schema } from './datagram-fault.ts'

/** What servers still send has nobody to go to. */
class RefuseStage extends DatagramStage<object> {
  protected override arrive(packet: Buffer, number: number): void {
    this.context.record('drop', { packet: number, bytes: packet.length })
  }
}

export const refuse = defineDatagramFault({
  type: 'refuse',
  layer: 'datagram',
  describe:
    'Closes the listening socket: the kernel answers what clients send with ICMP "port unreachable", which they hear ' +
    'as ECONNREFUSED. What servers still send is dropped. Sessions stay, unless they are idle for too long.',
  schema: Schema.Object({}),
  chooses: 'nothing',
  undirected: true,
  refuses: true,
  create: (attributes, context) => new RefuseStage(attributes, context),
})
