// Bits that arrive other than they were sent. A packet's length and checksum stay right, so that the receiver gets it.
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'

export interface DatagramCorruptAttributes {
  readonly rate: number
}

interface Flip {
  readonly offset: number
  readonly bit: number
}

/** A packet with more flips than this gets one record for all of them: a high rate must not flood the log. */
const MAX_RECORDS_A_PACKET = 64

/** Draws come in steps of 2^-32 from 0; half a step up, none is 0 and none is 1. */
const HALF_STEP = 2 ** -33

/** Positions of draws that belong to a packet: two for each byte of the longest (64 KiB; RFC 768, RFC 8200). */
const DRAWS_A_PACKET = 2 * 65_536

/** As with streams: the gaps between hits are geometric, so it draws gaps instead of bytes. */
class CorruptStage extends DatagramStage<DatagramCorruptAttributes> {
  /** ln(1 - rate), by which the geometric distribution is inverted; 0 = no byte is hit. */
  #logMissed = 0

  constructor(attributes: DatagramCorruptAttributes, context: DatagramContext) {
    super(attributes, context)
    this.update(attributes)
  }

  override update(attributes: DatagramCorruptAttributes): void {
    super.update(attributes)
    this.#logMissed = Math.log1p(-attributes.rate)
  }

  protected override arrive(packet: Buffer, number: number): void {
    const first = this.#hitFrom(0, number)
    if (first >= packet.length || !this.context.selects()) return this.next.write(packet)
    // A copy, as a duplicate may share the memory.
    const flipped = Buffer.from(packet)
    const flips: Flip[] = []
    for (let offset = first; offset < packet.length; offset = this.#hitFrom(offset + 1, number)) {
      const bit = Math.floor(this.context.random.at(number * DRAWS_A_PACKET + 2 * offset + 1) * 8)
      flipped[offset] = (flipped[offset] ?? 0) ^ (1 << bit)
      flips.push({ offset, bit })
    }
    this.#record(number, first, flips)
    this.next.write(flipped)
  }

  #record(packet: number, offset: number, flips: readonly Flip[]): void {
    if (flips.length > MAX_RECORDS_A_PACKET) this.context.record('flip', { packet, offset, count: flips.length })
    else for (const flip of flips) this.context.record('flip', { packet, ...flip })
  }

  /** The first offset from this one on whose byte is hit. */
  #hitFrom(offset: number, number: number): number {
    if (this.#logMissed === 0) return Infinity
    const draw = this.context.random.at(number * DRAWS_A_PACKET + 2 * offset)
    return offset + Math.floor(Math.log(draw + HALF_STEP) / this.#logMissed)
  }
}

export const corrupt = defineDatagramFault<DatagramCorruptAttributes>({
  type: 'corrupt',
  layer: 'datagram',
  describe:
    'Flips one bit in each of a share of the bytes. The checksum is made anew, as by a broken middlebox: the receiver ' +
    'gets the packet.',
  schema: Schema.Object({
    rate: Schema.Number({
      default: 0.0001,
      minimum: 0,
      maximum: 1,
      description: 'Share of bytes in which a bit is flipped, 0 to 1.',
    }),
  }),
  chooses: 'packets',
  create: (attributes, context) => new CorruptStage(attributes, context),
})
