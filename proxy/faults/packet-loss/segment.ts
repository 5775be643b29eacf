// A segment, from its first transmission until it is acknowledged, and the list of segments by time of transmission.

export class Segment {
  /** 0 for a stream's first segment, 1 for the next … */
  readonly number: number
  /** Where its bytes begin in the stream. */
  readonly offset: number
  /** Where they end. The FIN takes one byte of its own behind the application's. */
  readonly end: number
  /** How often it has been sent. */
  transmissions = 0
  /** When it was sent last. */
  sentMs = 0
  /** As the sender believes: on its way, neither acknowledged nor lost. */
  inFlight = false
  /** As the sender believes: lost and not sent again. */
  lost = false
  /** The sender knows that it has arrived. */
  delivered = false
  /** It has arrived, whether the sender knows or not. */
  arrived = false
  /** Neighbours in {@link SentOrder}. */
  sentBefore: Segment | undefined = undefined
  sentAfter: Segment | undefined = undefined

  constructor(number: number, offset: number, end: number) {
    this.number = number
    this.offset = offset
    this.end = end
  }
}

/** Segments in flight in the order of their last transmission. Linked through the segments: nothing is allocated. */
export class SentOrder {
  #first: Segment | undefined
  #last: Segment | undefined

  get first(): Segment | undefined {
    return this.#first
  }

  clear(): void {
    this.#first = this.#last = undefined
  }

  append(segment: Segment): void {
    segment.sentBefore = this.#last
    segment.sentAfter = undefined
    if (this.#last) this.#last.sentAfter = segment
    else this.#first = segment
    this.#last = segment
  }

  remove(segment: Segment): void {
    const { sentBefore, sentAfter } = segment
    if (sentBefore) sentBefore.sentAfter = sentAfter
    else this.#first = sentAfter
    if (sentAfter) sentAfter.sentBefore = sentBefore
    else this.#last = sentBefore
    segment.sentBefore = segment.sentAfter = undefined
  }
}
