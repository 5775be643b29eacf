// A link between a client and a server that loses packets, with a simulated TCP at either end: says when bytes would
// have arrived. It holds no bytes and knows no sockets. States and rules are those of Linux's TCP.
import type { Clock, TimerHandle } from '../../clock.ts'
import type { Direction } from '../stage.ts'
import { losesNothing, type LinkAttributes } from './attributes.ts'
import { Fifo } from './fifo.ts'
import { LossyStream, type Draws, type StreamEvents } from './lossy-stream.ts'
import type { Acknowledgement } from './receiver.ts'
import type { Segment } from './segment.ts'

/** Node's timers are whole milliseconds; what is due this soon counts as due. */
const EARLY_MS = 0.5
/** The most that happens in one turn; other connections get theirs in between. */
const EVENTS_PER_TURN = 1024

/** A packet on its way. Each carries an acknowledgement of the opposite stream, and maybe a segment of its own. */
interface Packet {
  readonly dueMs: number
  readonly sentMs: number
  readonly stream: Direction
  readonly segment: Segment | undefined
  readonly acknowledgement: Acknowledgement
}

export interface LossyLinkOptions {
  readonly clock: Clock
  readonly attributes: LinkAttributes
  /** Decides the packets of each direction: each by its stream offset and by how often that was sent. */
  readonly random: Readonly<Record<Direction, Draws>>
  readonly events: Readonly<Record<Direction, StreamEvents>>
}

/**
 * Two streams over one lossy link, each carrying the other's acknowledgements. Accepts counts of bytes by
 * {@link LossyLink.push} and says by {@link StreamEvents.deliver} when so many have arrived, in order, all of them.
 *
 * Without loss in either direction everything passes at once, else both directions take half a round trip.
 *
 * @example
 * const link = new LossyLink({ clock: systemClock, attributes, random, events })
 * link.push('upstream', 1000) // events.upstream.deliver(1000), half a round trip later or more
 */
export class LossyLink {
  readonly #clock: Clock
  readonly #streams: Readonly<Record<Direction, LossyStream>>
  #attributes: LinkAttributes
  #packets = new Fifo<Packet>()
  /** The simulation's time: the clock's, or that of the event which is being worked off late. */
  #nowMs: number
  #lastArrivalMs = -Infinity
  #timer: TimerHandle
  #timerDueMs = Infinity
  #running = false
  #disposed = false

  constructor({ clock, attributes, random, events }: LossyLinkOptions) {
    this.#clock = clock
    this.#attributes = attributes
    this.#nowMs = clock.now()
    this.#streams = {
      upstream: new LossyStream(random.upstream, events.upstream),
      downstream: new LossyStream(random.downstream, events.downstream),
    }
    this.#configure()
    this.#startOver()
  }

  /** Accepted and not yet delivered. */
  backlogBytes(direction: Direction): number {
    return this.#streams[direction].backlogBytes
  }

  /** Accepted and not yet sent for the first time: a source should pause while this is much. */
  unsentBytes(direction: Direction): number {
    return Math.min(this.#streams[direction].sender.unsentBytes, this.#streams[direction].backlogBytes)
  }

  /** Accepts the next bytes of a stream. */
  push(direction: Direction, bytes: number): void {
    const stream = this.#streams[direction]
    if (this.#disposed || !stream.open || bytes <= 0) return
    if (losesNothing(this.#attributes)) return stream.pass(bytes)
    this.#catchUp()
    stream.push(bytes)
    this.#schedule()
  }

  /** Nothing more is pushed this way; FIN goes behind the bytes and may be lost like them. */
  end(direction: Direction): void {
    const stream = this.#streams[direction]
    if (this.#disposed || !stream.open) return
    if (losesNothing(this.#attributes)) return stream.passEnd()
    this.#catchUp()
    stream.end()
    this.#schedule()
  }

  /** Changes the live link: what is on its way keeps its time. Without any loss left, everything arrives now. */
  update(attributes: LinkAttributes): void {
    if (this.#disposed) return
    const wasTransparent = losesNothing(this.#attributes)
    if (!wasTransparent) this.#catchUp()
    this.#attributes = attributes
    this.#configure()
    if (losesNothing(attributes)) return this.releaseAll()
    if (wasTransparent) return this.#startOver()
    this.#streams.upstream.sender.update(attributes)
    this.#streams.downstream.sender.update(attributes)
    this.#schedule()
  }

  /** Everything that was accepted arrives now, in order. What is pushed later starts on a fresh link. */
  releaseAll(): void {
    if (this.#disposed) return
    this.#cancelTimer()
    this.#startOver()
    this.#streams.upstream.releaseAll()
    if (!this.#disposed) this.#streams.downstream.releaseAll()
  }

  /** Forgets everything. Nothing is called back any more. */
  dispose(): void {
    this.#disposed = true
    this.#cancelTimer()
    this.#streams.upstream.dispose()
    this.#streams.downstream.dispose()
    this.#packets = new Fifo()
  }

  #configure(): void {
    const { upstreamLoss, downstreamLoss, burst } = this.#attributes
    this.#streams.upstream.configure(upstreamLoss, burst)
    this.#streams.downstream.configure(downstreamLoss, burst)
  }

  #startOver(): void {
    this.#nowMs = Math.max(this.#nowMs, this.#clock.now())
    this.#packets = new Fifo()
    this.#start('upstream')
    this.#start('downstream')
  }

  #start(direction: Direction): void {
    const link = this
    const opposite = direction === 'upstream' ? 'downstream' : 'upstream'
    const senderLink = {
      get nowMs() {
        return link.#nowMs
      },
      transmit: (segment: Segment) => this.#transmit(direction, segment),
    }
    this.#streams[direction].start(this.#attributes, senderLink, () => this.#transmit(opposite, undefined))
  }

  /** A packet leaves. What it acknowledges shares its fate. */
  #transmit(direction: Direction, segment: Segment | undefined): void {
    const stream = this.#streams[direction]
    const { receiver } = this.#opposite(direction)
    const acknowledgement = receiver.acknowledgement()
    if (segment) receiver.answering(this.#nowMs)
    const lost = segment ? stream.losesData(segment) : stream.losesAcknowledgement(acknowledgement.cumulative)
    if (lost) return
    // Packets never overtake each other, also when the round trip has just been shortened.
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#nowMs + this.#attributes.rttMs / 2)
    const dueMs = this.#lastArrivalMs
    this.#packets.push({ dueMs, sentMs: this.#nowMs, stream: direction, segment, acknowledgement })
  }

  #arrive({ stream, segment, sentMs, acknowledgement }: Packet): void {
    const { sender } = this.#opposite(stream)
    sender.acknowledge(acknowledgement)
    if (segment) this.#streams[stream].receiver.arrive(segment, sentMs, this.#nowMs, sender.rtoMs)
  }

  #opposite(direction: Direction): LossyStream {
    return direction === 'upstream' ? this.#streams.downstream : this.#streams.upstream
  }

  /** Works off what is due by now, so that what follows is not ahead of it. */
  #catchUp(): void {
    if (this.#running) return
    this.#running = true
    const nowMs = this.#clock.now()
    for (let events = 0; events < EVENTS_PER_TURN && this.#step(nowMs + EARLY_MS);) events++
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    this.#running = false
  }

  /** Works off the earliest event, if it is due. */
  #step(limitMs: number): boolean {
    const { upstream, downstream } = this.#streams
    const dueMs = this.#earliestMs()
    if (dueMs > limitMs) return false
    this.#nowMs = Math.max(this.#nowMs, dueMs)
    if (this.#packets.first?.dueMs === dueMs) {
      const packet = this.#packets.shift()
      if (packet) this.#arrive(packet)
    } else if (upstream.sender.timerDueMs === dueMs) upstream.sender.timerDue()
    else if (downstream.sender.timerDueMs === dueMs) downstream.sender.timerDue()
    else if (upstream.receiver.timerDueMs === dueMs) upstream.receiver.timerDue()
    else downstream.receiver.timerDue()
    return true
  }

  #earliestMs(): number {
    const { upstream, downstream } = this.#streams
    return Math.min(
      this.#packets.first?.dueMs ?? Infinity,
      upstream.sender.timerDueMs,
      downstream.sender.timerDueMs,
      upstream.receiver.timerDueMs,
      downstream.receiver.timerDueMs,
    )
  }

  /** One timer, for the earliest event. One that turns out to be early is left as it is, and set anew when it fires. */
  #schedule(): void {
    if (this.#running || this.#disposed) return
    const dueMs = this.#earliestMs()
    if (dueMs >= this.#timerDueMs || dueMs === Infinity) return
    this.#cancelTimer()
    this.#timerDueMs = dueMs
    this.#timer = this.#clock.setTimer(() => this.#wake(), dueMs - this.#clock.now())
  }

  #wake(): void {
    this.#timer = undefined
    this.#timerDueMs = Infinity
    this.#catchUp()
    this.#streams.upstream.settle()
    if (!this.#disposed) this.#streams.downstream.settle()
    this.#schedule()
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#timerDueMs = Infinity
  }
}
