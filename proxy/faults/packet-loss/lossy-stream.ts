// One direction of a lossy link: a simulated TCP sender at one end and its receiver at the other. Counts, holds no bytes.
import type { LinkAttributes } from './attributes.ts'
import { GilbertElliott } from './gilbert-elliott.ts'
import { Receiver } from './receiver.ts'
import type { Segment } from './segment.ts'
import { Sender, type SenderLink } from './sender.ts'

/** What becomes of a stream. Called outside the simulation: whatever is called back may push, update or dispose. */
export interface StreamEvents {
  /** So many further bytes have reached the receiving application, in order. */
  deliver(bytes: number): void
  /** Behind all bytes, FIN has. */
  end(): void
  /** A packet was lost. For the record; no byte is ever missing. */
  lost?(packet: LostPacket): void
}

/** Random numbers that belong to positions: Random is one. */
export interface Draws {
  /** Uniform in [0, 1); always the same for the same position, a whole number up to 2^53. */
  at(position: number): number
}

/** `data` may carry FIN, which then counts as a byte; `acknowledgement` carries neither. */
export interface LostPacket {
  readonly kind: 'data' | 'acknowledgement'
  /** Where the data begins in its stream, or up to where the other stream is acknowledged. */
  readonly offset: number
  readonly bytes: number
  /** 1 = sent for the first time. */
  readonly transmission: number
}

/** A packet is drawn by what it is: this many transmissions of each offset have numbers of their own. */
const TRANSMISSIONS_PER_OFFSET = 2 ** 12
/** Beyond so many bytes the numbers begin again. */
const OFFSETS = 2 ** 40
/** Where the numbers of pure acknowledgements begin. */
const ACKNOWLEDGEMENTS = OFFSETS * TRANSMISSIONS_PER_OFFSET

export class LossyStream {
  sender!: Sender
  receiver!: Receiver
  readonly #channel = new GilbertElliott()
  readonly #draws: Draws
  readonly #events: StreamEvents
  /** Bytes accepted and delivered since the stream began. */
  #pushed = 0
  #delivered = 0
  #ending = false
  /** FIN was delivered, or nobody listens any more. */
  #ended = false
  /** Pure acknowledgements sent this way in a row with the same offset. */
  #acknowledgementOffset = 0
  #acknowledgementsSent = 0

  constructor(draws: Draws, events: StreamEvents) {
    this.#draws = draws
    this.#events = events
  }

  /** Accepted and not delivered. */
  get backlogBytes(): number {
    return this.#pushed - this.#delivered
  }

  get open(): boolean {
    return !this.#ending
  }

  /** A new simulation from here on: whatever was accepted before must have been delivered. */
  start(attributes: LinkAttributes, link: SenderLink, acknowledge: () => void): void {
    this.receiver = new Receiver(this.#pushed, link.nowMs, acknowledge)
    this.sender = new Sender(attributes, link, this.receiver.arrivals, this.#pushed)
  }

  configure(loss: number, burst: number): void {
    this.#channel.configure(loss, burst)
  }

  push(bytes: number): void {
    this.#pushed += bytes
    this.sender.push(bytes)
  }

  end(): void {
    this.#ending = true
    this.sender.push(1)
  }

  /** Accepts bytes that cross at once. */
  pass(bytes: number): void {
    this.#pushed += bytes
    this.#deliverTo(this.#pushed)
  }

  passEnd(): void {
    this.#ending = true
    this.#finish()
  }

  /** Tells what has arrived since the last time. */
  settle(): void {
    const { nextOffset } = this.receiver
    if (nextOffset > this.#delivered) this.#deliverTo(Math.min(nextOffset, this.#pushed))
    if (this.#ending && nextOffset > this.#pushed) this.#finish()
  }

  /** Nothing is called back any more. */
  dispose(): void {
    this.#ended = true
  }

  /** Everything arrives now. */
  releaseAll(): void {
    this.#deliverTo(this.#pushed)
    if (this.#ending) this.#finish()
  }

  /** Whether the packet that leaves with this segment is lost. */
  losesData({ offset, end, transmissions }: Segment): boolean {
    const position = (offset % OFFSETS) * TRANSMISSIONS_PER_OFFSET + transmissions
    const lost = this.#channel.loses(this.#draws.at(position))
    if (lost) this.#events.lost?.({ kind: 'data', offset, bytes: end - offset, transmission: transmissions })
    return lost
  }

  /** Whether the packet that leaves with nothing but an acknowledgement of the other stream is lost. */
  losesAcknowledgement(offset: number): boolean {
    if (offset !== this.#acknowledgementOffset) this.#acknowledgementsSent = 0
    this.#acknowledgementOffset = offset
    const transmission = ++this.#acknowledgementsSent
    const position = ACKNOWLEDGEMENTS + (offset % OFFSETS) * TRANSMISSIONS_PER_OFFSET + transmission
    const lost = this.#channel.loses(this.#draws.at(position))
    if (lost) this.#events.lost?.({ kind: 'acknowledgement', offset, bytes: 0, transmission })
    return lost
  }

  #deliverTo(offset: number): void {
    const bytes = offset - this.#delivered
    if (bytes <= 0 || this.#ended) return
    this.#delivered = offset
    this.#events.deliver(bytes)
  }

  #finish(): void {
    if (this.#ended) return
    this.#ended = true
    this.#events.end()
  }
}
