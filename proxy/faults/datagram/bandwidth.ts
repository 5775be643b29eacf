// Limits throughput the way a slow line does: packets queue, and those that find the queue full are lost.
import { Deadline } from '../deadline.ts'
import { Fifo } from '../packet-loss/fifo.ts'
import { DatagramStage, defineDatagramFault, Schema, type DatagramContext } from './datagram-fault.ts'
import { EARLY_MS, OVERHEAD_BYTES } from './packet-delays.ts'

export interface DatagramBandwidthAttributes {
  readonly rate: number
  readonly queueBytes: number
  readonly scope: 'connection' | 'proxy'
  readonly burst: number
}

interface Queued {
  readonly packet: Buffer
  readonly stage: BandwidthStage
  readonly arrivedMs: number
}

/** Sends one packet after the other, whosever they are: first come, first served, as a router's plain queue does. */
class Line {
  readonly #context: DatagramContext
  readonly #queue = new Fifo<Queued>()
  readonly #deadline: Deadline
  #attributes: DatagramBandwidthAttributes
  /** Payload of all in the queue, the one that is being sent included. */
  #queuedBytes = 0
  /** Until when the line was busy with what has been sent. */
  #busyUntilMs = -Infinity
  /** Since when the first one is being sent, and what had been sent of it under earlier rates. */
  #startMs = 0
  #sentBytes = 0

  constructor(attributes: DatagramBandwidthAttributes, context: DatagramContext) {
    this.#attributes = attributes
    this.#context = context
    this.#deadline = new Deadline(context.clock, () => this.#wake())
  }

  get idle(): boolean {
    return this.#queue.length === 0
  }

  /** What has been sent of the present packet stays sent, so that a rate that changes all the time stops nothing. */
  change(attributes: DatagramBandwidthAttributes): void {
    if (attributes === this.#attributes) return
    const nowMs = this.#context.clock.now()
    if (!this.idle) {
      this.#sentBytes += Math.max(0, nowMs - this.#startMs) * this.#bytesPerMs
      this.#startMs = nowMs
    }
    this.#attributes = attributes
    this.#schedule()
  }

  /** False if the packet found the queue full. The one that is being sent does not count. */
  push(packet: Buffer, stage: BandwidthStage): boolean {
    const waitingBytes = this.#queuedBytes - (this.#queue.first?.packet.length ?? 0)
    if (!this.idle && waitingBytes + packet.length > this.#attributes.queueBytes) return false
    if (this.#queuedBytes + this.#queue.length * OVERHEAD_BYTES > this.#context.maxHeldBytes) {
      this.#context.limitReached()
      return false
    }
    this.#queue.push({ packet, stage, arrivedMs: this.#context.clock.now() })
    this.#queuedBytes += packet.length
    if (this.#queue.length > 1) return true
    this.#begin()
    this.#wake()
    return true
  }

  /** Takes out what is one stage's: what others have queued goes on as it would have. */
  take(stage: BandwidthStage): Buffer[] {
    const taken: Buffer[] = []
    const first = this.#queue.first
    for (let count = this.#queue.length; count > 0; count--) {
      const queued = this.#queue.shift()
      if (queued === undefined) break
      if (queued.stage === stage) {
        taken.push(queued.packet)
        this.#queuedBytes -= queued.packet.length
      } else this.#queue.push(queued)
    }
    if (this.#queue.first !== first) this.#begin()
    this.#schedule()
    return taken
  }

  /** KB = 1000 B, so KB/s are bytes a millisecond. */
  get #bytesPerMs(): number {
    return this.#attributes.rate
  }

  /** The first in the queue is sent from now on. A line that was idle for a while sends as if it had begun earlier. */
  #begin(): void {
    const first = this.#queue.first
    if (!first) return
    const burstMs = this.#bytesPerMs > 0 ? this.#attributes.burst / this.#bytesPerMs : 0
    this.#startMs = Math.max(this.#busyUntilMs, first.arrivedMs - burstMs)
    this.#sentBytes = 0
  }

  /** When the first will have been sent. */
  get #dueMs(): number {
    const first = this.#queue.first
    if (!first || this.#bytesPerMs === 0) return Infinity
    return this.#startMs + Math.max(0, first.packet.length - this.#sentBytes) / this.#bytesPerMs
  }

  #schedule(): void {
    this.#deadline.set(this.#dueMs - EARLY_MS)
  }

  #wake(): void {
    const nowMs = this.#context.clock.now() + EARLY_MS
    for (let dueMs = this.#dueMs; dueMs <= nowMs; dueMs = this.#dueMs) {
      const sent = this.#queue.shift()
      if (!sent) break
      this.#queuedBytes -= sent.packet.length
      this.#busyUntilMs = dueMs
      this.#begin()
      sent.stage.sent(sent.packet)
    }
    this.#schedule()
  }
}

class BandwidthStage extends DatagramStage<DatagramBandwidthAttributes> {
  #line: Line
  #heldBytes = 0

  constructor(attributes: DatagramBandwidthAttributes, context: DatagramContext) {
    super(attributes, context)
    this.#line = this.#lineFor(attributes)
  }

  override get heldBytes(): number {
    return this.#heldBytes
  }

  #lineFor(attributes: DatagramBandwidthAttributes): Line {
    const make = (): Line => new Line(attributes, this.context)
    return attributes.scope === 'proxy' ? this.context.shared(make) : make()
  }

  override update(attributes: DatagramBandwidthAttributes): void {
    const moves = attributes.scope !== this.attributes.scope
    super.update(attributes)
    if (!moves) return this.#line.change(attributes)
    const waiting = this.#line.take(this)
    this.#heldBytes = 0
    this.#line = this.#lineFor(attributes)
    this.#line.change(attributes)
    for (const packet of waiting) this.#push(packet)
  }

  protected override arrive(packet: Buffer, number: number): void {
    const { idle } = this.#line
    if (!this.#push(packet)) this.context.record('drop', { packet: number, bytes: packet.length })
    // One record for each time that the line begins to hold packets back.
    else if (idle && !this.#line.idle) this.context.record('throttle', { packet: number, rate: this.attributes.rate })
  }

  #push(packet: Buffer): boolean {
    const taken = this.#line.push(packet, this)
    if (taken) this.#heldBytes += packet.length
    return taken
  }

  /** For the line: a packet has come to its end. */
  sent(packet: Buffer): void {
    this.#heldBytes -= packet.length
    this.next.write(packet)
  }

  override flush(): void {
    const waiting = this.#line.take(this)
    this.#heldBytes = 0
    for (const packet of waiting) this.next.write(packet)
  }

  override dispose(): void {
    this.#line.take(this)
    this.#heldBytes = 0
  }
}

export const bandwidth = defineDatagramFault<DatagramBandwidthAttributes>({
  type: 'bandwidth',
  layer: 'datagram',
  describe:
    'Limits a client, or all of a proxy together, to a maximum throughput. Packets wait in a queue; one that finds it ' +
    'full is lost. At 0 nothing passes until the fault is removed or changed.',
  schema: Schema.Object({
    rate: Schema.Integer({
      default: 0,
      minimum: 0,
      maximum: 1e9,
      description: 'Throughput in KB/s, with 1 KB = 1000 bytes; headers do not count.',
    }),
    queueBytes: Schema.Integer({
      default: 65_536,
      minimum: 0,
      maximum: 2 ** 30,
      description: 'Bytes that may wait behind the packet that is being sent.',
    }),
    scope: Schema.Union([Schema.Literal('connection'), Schema.Literal('proxy')], {
      default: 'connection',
      description: 'connection: each client has rate and queue for itself. proxy: all clients share them.',
    }),
    burst: Schema.Integer({
      default: 0,
      minimum: 0,
      maximum: 2 ** 30,
      description: 'Bytes that pass at once after a pause long enough for the rate to send as many.',
    }),
  }),
  chooses: 'clients',
  create: (attributes, context) => new BandwidthStage(attributes, context),
})
