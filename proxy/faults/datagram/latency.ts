// Delays packets, each by a time of its own, so that they may overtake each other.
import {
  checkDelay,
  completeDelay,
  DelaySequence,
  distributionFields,
  longDelayMs,
  MAX_DELAY_MS,
  type Delay,
  type Distribution,
} from '../../delay.ts'
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'
import { PacketDelays } from './packet-delays.ts'

export interface DatagramLatencyAttributes {
  readonly latency: number
  readonly jitter: number
  readonly distribution: Distribution
  readonly sigma: number
  readonly shape: number
  readonly correlation: number
  readonly keepOrder: boolean
}

class LatencyStage extends DatagramStage<DatagramLatencyAttributes> {
  readonly #delayed: PacketDelays
  readonly #delays = new DelaySequence()
  #delay: Delay
  /** When the last of those that keep their order is due. */
  #lastDueMs = -Infinity

  constructor(attributes: DatagramLatencyAttributes, context: DatagramContext) {
    super(attributes, context)
    this.#delay = delayOf(attributes)
    this.#delayed = new PacketDelays(context, (packet) => this.next.write(packet))
  }

  override get heldBytes(): number {
    return this.#delayed.heldBytes
  }

  /** What arrives from now on takes the new delay; what is on its way keeps its own, if that is not longer. */
  override update(attributes: DatagramLatencyAttributes): void {
    super.update(attributes)
    this.#delay = delayOf(attributes)
    const latestMs = this.context.clock.now() + longDelayMs(this.#delay)
    this.#lastDueMs = Math.min(this.#lastDueMs, latestMs)
    this.#delayed.hurry(latestMs)
  }

  protected override arrive(packet: Buffer, number: number): void {
    const { attributes, context } = this
    const drawnMs = this.#delays.drawMs(this.#delay, attributes.correlation, context, number)
    const delayMs = drawnMs > 0 && context.selects() ? drawnMs : 0
    const nowMs = context.clock.now()
    const dueMs = attributes.keepOrder ? Math.max(this.#lastDueMs, nowMs + delayMs) : nowMs + delayMs
    if (delayMs === 0 && (!attributes.keepOrder || this.#delayed.empty)) return this.next.write(packet)
    if (!this.#delayed.takes(packet)) return context.record('drop', { packet: number, bytes: packet.length })
    this.#lastDueMs = dueMs
    if (delayMs > 0) context.record('delay', { packet: number, delayMs })
    this.#delayed.add(packet, dueMs)
  }

  override flush(): void {
    this.#delayed.flush()
  }

  override dispose(): void {
    this.#delayed.dispose()
  }
}

function delayOf({ latency, jitter, distribution, sigma, shape }: DatagramLatencyAttributes): Delay {
  return completeDelay({ delayMs: latency, jitterMs: jitter, distribution, sigma, shape })
}

export const latency = defineDatagramFault<DatagramLatencyAttributes>({
  type: 'latency',
  layer: 'datagram',
  describe:
    'Delays each packet by latency ± jitter milliseconds, or as a distribution says. Packets with different delays ' +
    'overtake each other unless they are to keep their order.',
  schema: Schema.Object({
    latency: Schema.Integer({ default: 0, minimum: 0, maximum: MAX_DELAY_MS, description: 'Delay in milliseconds.' }),
    jitter: Schema.Integer({
      default: 0,
      minimum: 0,
      maximum: MAX_DELAY_MS,
      description: 'Largest deviation from it, in milliseconds; with normal the standard deviation.',
    }),
    distribution: distributionFields.distribution,
    sigma: distributionFields.sigma,
    shape: distributionFields.shape,
    correlation: Schema.Number({
      default: 0,
      minimum: 0,
      maximum: 1,
      description: 'How far each delay resembles the one before; 1 = they are all the same.',
    }),
    keepOrder: Schema.Boolean({
      default: false,
      description: 'A packet waits for those before it, so that none overtakes another.',
    }),
  }),
  chooses: 'packets',
  check(attributes, environment) {
    const field = (name: string): string => environment.field(name === 'jitterMs' ? 'jitter' : name)
    checkDelay(delayOf(attributes), { ...environment, field })
  },
  create: (attributes, context) => new LatencyStage(attributes, context),
})
