// Delays bytes, keeps their order, throttles nothing.
import {
  checkDelay,
  completeDelay,
  DelaySequence,
  longDelayMs,
  optionalDistributionFields,
  type Delay,
  type Distribution,
} from '../delay.ts'
import { defineFault, Schema, HoldingStage, type Held, type Signal } from './fault.ts'

export interface LatencyAttributes {
  readonly latency: number
  readonly jitter: number
  readonly distribution?: Distribution
  readonly sigma?: number
  readonly shape?: number
  readonly correlation?: number
}

/**
 * Jitter is drawn for a segment, not for a chunk, because how a stream is cut into chunks is the kernel's whim: a
 * segment goes on as long as bytes arrive with less than this between them…
 */
const SEGMENT_GAP_MS = 1
/** … and is cut at multiples of this offset, so that a bulk transfer sees jitter at all. */
const SEGMENT_BYTES = 65_536

class LatencyStage extends HoldingStage<LatencyAttributes> {
  /** Stream offset of the next byte to arrive, counted from when the fault took hold. */
  #offset = 0
  #segmentEnd = 0
  #lastArrivalMs = -Infinity
  #segmentDelayMs = 0
  /** When the attributes last changed. */
  #changedMs = -Infinity
  readonly #delays = new DelaySequence()

  /** What arrives from now on takes the new delay; what is on its way keeps its own, if that is not longer. */
  override update(attributes: LatencyAttributes): void {
    this.#changedMs = this.context.clock.now()
    super.update(attributes)
    this.#segmentEnd = this.#offset
  }

  override write(chunk: Buffer): void {
    if (this.#instant) {
      this.#offset += chunk.length
      this.next.write(chunk)
      return
    }
    for (let rest = chunk; rest.length > 0;) {
      const bytes = Math.min(rest.length, this.#enterSegment())
      this.hold(bytes === rest.length ? rest : rest.subarray(0, bytes), this.#segmentDelayMs)
      this.#offset += bytes
      rest = rest.subarray(bytes)
    }
  }

  override end(): void {
    this.#holdSignal('end')
  }

  override close(): void {
    this.#holdSignal('close')
  }

  override reset(): void {
    this.#holdSignal('reset')
  }

  protected override dueMs(front: Held): number {
    const delayMs =
      front.arrivedMs > this.#changedMs ? front.delayMs : Math.min(front.delayMs, longDelayMs(this.#delay))
    return front.arrivedMs + delayMs
  }

  /** FIN and RST are packets, too: they take as long as bytes, and are a segment of their own. */
  #holdSignal(signal: Signal): void {
    if (this.#instant) return this.next[signal]()
    const delayMs = this.#drawDelayMs()
    const action = signal === 'reset' ? 'delay_reset' : 'delay_close'
    if (delayMs > 0) this.context.record(action, { delayMs, offset: this.#offset })
    this.hold(signal, delayMs)
  }

  /** With nothing to wait for this stage costs a call: bench/ has a row with 0 ms on both directions. */
  get #instant(): boolean {
    return this.attributes.latency <= 0 && this.attributes.jitter <= 0 && this.empty
  }

  /** Starts a new segment if the last one is over; returns the bytes left in the current one. */
  #enterSegment(): number {
    const nowMs = this.context.clock.now()
    if (this.#offset >= this.#segmentEnd || nowMs - this.#lastArrivalMs >= SEGMENT_GAP_MS) {
      this.#segmentEnd = this.#offset - (this.#offset % SEGMENT_BYTES) + SEGMENT_BYTES
      this.#segmentDelayMs = this.#drawDelayMs()
      if (this.#segmentDelayMs > 0) {
        this.context.record('delay', { delayMs: this.#segmentDelayMs, offset: this.#offset })
      }
    }
    this.#lastArrivalMs = nowMs
    return this.#segmentEnd - this.#offset
  }

  /** Whole milliseconds, never below 0. */
  #drawDelayMs(): number {
    const { latency, jitter, distribution = 'uniform', correlation = 0 } = this.attributes
    if (distribution !== 'uniform' || correlation > 0) {
      return this.#delays.drawMs(this.#delay, correlation, this.context, this.#offset)
    }
    // Toxiproxy's delays are not limited to an hour.
    if (jitter <= 0) return Math.max(0, latency)
    const swing = Math.floor(this.context.random.at(this.#offset) * (2 * jitter + 1)) - jitter
    return Math.max(0, latency + swing)
  }

  get #delay(): Delay {
    return delayOf(this.attributes)
  }
}

function delayOf({ latency, jitter, ...spread }: LatencyAttributes): Delay {
  return completeDelay({ ...spread, delayMs: latency, jitterMs: jitter })
}

export const latency = defineFault<LatencyAttributes>({
  type: 'latency',
  layer: 'stream',
  describe:
    'Delays data by latency ± jitter milliseconds, or as a distribution says, FIN and RST included. Order is kept and ' +
    'throughput is not limited.',
  schema: Schema.Object({
    latency: Schema.Integer({ default: 0, minimum: 0, description: 'Delay in milliseconds.' }),
    jitter: Schema.Integer({
      default: 0,
      minimum: 0,
      description: 'Largest deviation from it, in milliseconds; with normal the standard deviation.',
    }),
    ...optionalDistributionFields,
    correlation: Schema.Optional(
      Schema.Number({
        minimum: 0,
        maximum: 1,
        description: 'How far each delay resembles the one before; 1 = they are all the same. Default 0.',
      }),
    ),
  }),
  check(attributes, environment) {
    // As Toxiproxy calls it.
    const field = (name: string): string => environment.field(name === 'jitterMs' ? 'jitter' : name)
    checkDelay(delayOf(attributes), { ...environment, field })
  },
  create: (attributes, context) => new LatencyStage(attributes, context),
})
