// Packet loss as applications see it: nothing is missing, it comes late. A proxy ends both TCP connections and can lose no
// segment, so a simulated TCP (packet-loss/) says when bytes would have arrived over a link that loses packets. With engine
// kernel the system loses real ones (packet-loss/kernel/), and the stages here only pass on.
import { defineFault, Schema, Stage, type Direction, type PipeContext } from './fault.ts'
import { DEFAULT_LINK, lossesOf, type LinkAttributes, type PacketLossAttributes } from './packet-loss/attributes.ts'
import { handshakeDelayMs } from './packet-loss/handshake.ts'
import { checkKernelLoss, KernelLoss } from './packet-loss/kernel/kernel-loss.ts'
import { LossyLink } from './packet-loss/link.ts'
import type { LostPacket, StreamEvents } from './packet-loss/lossy-stream.ts'
import { Deadline } from './deadline.ts'
import { Random } from '../random.ts'

/** As much as is not sent for the first time may wait; then the source is paused. */
const MAX_UNSENT_BYTES = 256 * 1024

/** What a held chunk costs beside its bytes. */
const OVERHEAD_BYTES = 256

/** Both stages of a connection and the link between its ends. */
class Ends {
  readonly stages = new Map<Direction, PacketLossStage>()
  #link: LossyLink | undefined

  /** Made with the first byte: by then it is known how far away the server is. */
  link(attributes: PacketLossAttributes, context: PipeContext): LossyLink {
    return (this.#link ??= new LossyLink({
      clock: context.clock,
      attributes: linkAttributes(attributes, context),
      random: { upstream: this.#drawsOf('upstream', context), downstream: this.#drawsOf('downstream', context) },
      events: { upstream: this.#eventsOf('upstream'), downstream: this.#eventsOf('downstream') },
    }))
  }

  #drawsOf(direction: Direction, context: PipeContext): Random {
    return this.stages.get(direction)?.random ?? context.random
  }

  #eventsOf(direction: Direction): StreamEvents {
    return {
      deliver: (bytes) => this.stages.get(direction)?.deliver(bytes),
      end: () => this.stages.get(direction)?.ended(),
      lost: (packet) => this.stages.get(direction)?.lost(packet),
    }
  }

  get made(): LossyLink | undefined {
    return this.#link
  }
}

class PacketLossStage extends Stage<PacketLossAttributes> {
  readonly #pipe: PipeContext
  readonly #ends: Ends
  /** What has been pushed and not been delivered. */
  #queue: Buffer[] = []
  #heldBytes = 0
  #closing = false
  /** Until the handshake is through. */
  #handshake: Deadline | undefined
  #handshakeEnds = false

  constructor(attributes: PacketLossAttributes, context: PipeContext) {
    super(attributes, context)
    this.#pipe = context
    this.#ends = context.shared(() => new Ends())
    this.#ends.stages.set(context.direction, this)
  }

  get random(): Random {
    return this.context.random
  }

  override get heldBytes(): number {
    return this.#heldBytes
  }

  override get full(): boolean {
    const unsent = this.#ends.made?.unsentBytes(this.#pipe.direction) ?? this.#heldBytes
    return (
      unsent >= MAX_UNSENT_BYTES || this.#heldBytes + this.#queue.length * OVERHEAD_BYTES >= this.context.maxHeldBytes
    )
  }

  /** The first byte of a new connection also waits for the handshake's packets: connect() itself can't be delayed. */
  override start(): void {
    if (this.#pipe.direction !== 'upstream' || !this.#pipe.untouched || this.#losesNothing) return
    const { upstreamLoss, downstreamLoss } = lossesOf(this.attributes.loss, this.#pipe.faultDirection)
    const delayMs = handshakeDelayMs(upstreamLoss, downstreamLoss, new Random(this.random.at(0)))
    if (delayMs <= 0) return
    this.context.record('delay_handshake', { delayMs: Number.isFinite(delayMs) ? delayMs : -1 })
    this.#handshake = new Deadline(this.context.clock, () => this.#connected())
    this.#handshake.set(this.context.clock.now() + delayMs)
  }

  #connected(): void {
    this.#handshake?.clear()
    this.#handshake = undefined
    const link = this.#link
    if (this.#heldBytes > 0) link.push(this.#pipe.direction, this.#heldBytes)
    if (this.#handshakeEnds) link.end(this.#pipe.direction)
  }

  get #losesNothing(): boolean {
    return simulatedLoss(this.attributes) <= 0
  }

  get #link(): LossyLink {
    return this.#ends.link(this.attributes, this.#pipe)
  }

  override update(attributes: PacketLossAttributes): void {
    super.update(attributes)
    this.#ends.made?.update(linkAttributes(attributes, this.#pipe))
    if (this.#losesNothing && this.#handshake) this.#connected()
  }

  override write(chunk: Buffer): void {
    if (this.#losesNothing && this.#queue.length === 0) return this.next.write(chunk)
    this.#queue.push(Buffer.from(chunk))
    this.#heldBytes += chunk.length
    if (!this.#handshake) this.#link.push(this.#pipe.direction, chunk.length)
  }

  override end(): void {
    if (this.#losesNothing && this.#queue.length === 0) return this.next.end()
    if (this.#handshake) this.#handshakeEnds = true
    else this.#link.end(this.#pipe.direction)
  }

  override close(): void {
    if (this.#queue.length === 0) return this.next.close()
    this.#closing = true
  }

  /** So many further bytes have arrived. */
  deliver(bytes: number): void {
    let left = bytes
    while (left > 0) {
      const first = this.#queue[0]
      if (!first) break
      const taken = Math.min(left, first.length)
      if (taken === first.length) this.#queue.shift()
      else this.#queue[0] = first.subarray(taken)
      left -= taken
      this.#heldBytes -= taken
      this.next.write(taken === first.length ? first : first.subarray(0, taken))
    }
    if (this.#closing && this.#queue.length === 0) this.next.close()
    this.context.released()
  }

  ended(): void {
    if (!this.#closing) this.next.end()
  }

  lost({ kind, offset, bytes, transmission }: LostPacket): void {
    this.context.record(kind === 'data' ? 'lose_data' : 'lose_acknowledgement', { offset, bytes, transmission })
  }

  override flush(): void {
    if (this.#handshake) this.#connected()
    this.#ends.made?.releaseAll()
  }

  override dispose(): void {
    this.#handshake?.clear()
    this.#ends.made?.dispose()
    this.#queue = []
    this.#heldBytes = 0
  }
}

function simulatedLoss({ loss, engine }: PacketLossAttributes): number {
  return engine === 'kernel' ? 0 : loss
}

function linkAttributes(attributes: PacketLossAttributes, context: PipeContext): LinkAttributes {
  const { burst, rtt, mss, rtoMin, congestion } = attributes
  const rttMs = rtt ?? Math.max(1, context.dialMs)
  const losses = lossesOf(simulatedLoss(attributes), context.faultDirection)
  return { ...losses, burst, rttMs, mssBytes: mss, rtoMinMs: rtoMin, congestion }
}

export const packetLoss = defineFault<PacketLossAttributes>({
  type: 'packet_loss',
  layer: 'stream',
  bothPipes: true,
  describe:
    'What losing packets does to a TCP stream: retransmissions, timeouts, head-of-line blocking, falling throughput. No ' +
    'byte is lost or reordered. Direction both is the natural use; a loss of one direction delays the other by the ' +
    'round trip, too. Engine kernel loses real packets between the clients and the proxy, where Linux, CAP_NET_ADMIN and ' +
    'nft are there.',
  schema: Schema.Object({
    loss: Schema.Number({ default: 0.05, minimum: 0, maximum: 1, description: 'Share of packets that are lost.' }),
    engine: Schema.Union([Schema.Literal('simulation'), Schema.Literal('kernel')], {
      default: 'simulation',
      description:
        'What loses packets: a simulated TCP, or nftables, which loses real ones of all connections (Linux, needs ' +
        'CAP_NET_ADMIN and nft; takes loss and direction only).',
    }),
    burst: Schema.Number({
      default: DEFAULT_LINK.burst,
      minimum: 1,
      maximum: 1000,
      description: 'Packets lost in a row on average (Gilbert-Elliott); 1 = each for itself.',
    }),
    rtt: Schema.Optional(
      Schema.Number({
        minimum: 1,
        maximum: 60_000,
        description:
          'Round trip of the link, in milliseconds. Default: what connecting to the server took, at least 1.',
      }),
    ),
    mss: Schema.Integer({
      default: DEFAULT_LINK.mssBytes,
      minimum: 64,
      maximum: 65_495,
      description: 'Bytes in one packet at most.',
    }),
    rtoMin: Schema.Integer({
      default: DEFAULT_LINK.rtoMinMs,
      minimum: 1,
      maximum: 60_000,
      description: 'Shortest retransmission timeout, in milliseconds (Linux: 200).',
    }),
    congestion: Schema.Union([Schema.Literal('cubic'), Schema.Literal('reno'), Schema.Literal('none')], {
      default: DEFAULT_LINK.congestion,
      description: 'How the sender finds out how much the link takes.',
    }),
  }),
  check: (attributes, environment, { chooses }) => {
    if (attributes.engine === 'kernel') checkKernelLoss(attributes, chooses, (name) => environment.field(name))
  },
  create: (attributes, context) => new PacketLossStage(attributes, context),
  install: (fields, host) => new KernelLoss(fields, host),
})
