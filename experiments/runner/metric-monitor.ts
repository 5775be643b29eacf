// Asks for the custom metrics of an experiment, beside its probes: each at its interval, from the run's begin to its end.
import type { Clock } from '../../proxy/clock.ts'
import type { Metric } from '../file/experiment.ts'
import { OpenLoop } from '../measure/index.ts'
import type { MetricRecord, PhaseName } from '../model.ts'
import { createProbe, type Probe } from '../probes/index.ts'
import { waitFor } from './waiting.ts'

export interface MetricSample {
  readonly name: string
  /** Milliseconds since the run's begin: when it was asked. */
  readonly atMs: number
  readonly value: number
}

export interface MetricMonitorOptions {
  readonly clock: Clock
  /** The clock's time at the run's begin. */
  readonly originMs: number
  readonly phase: () => PhaseName
  readonly onSample: (sample: MetricSample) => void
}

/** A metric that had no value, and why. */
export interface MetricComplaint {
  readonly metric: Metric
  readonly reason: string
}

/** One of them, as far as it is known. */
interface Watched {
  readonly metric: Metric
  readonly probe: Probe
  readonly loop: OpenLoop
  readonly points: [atMs: number, value: number][]
  readonly missed: Record<string, number>
  /** Why there was no value the last time. */
  reason: string
}

const RETRY_MS = 50

export class MetricMonitor {
  readonly #options: MetricMonitorOptions
  readonly #watched: readonly Watched[]

  /** Begins at once. */
  constructor(metrics: readonly Metric[], options: MetricMonitorOptions) {
    this.#options = options
    this.#watched = metrics.map((metric) => this.#watch(metric))
    for (const { loop } of this.#watched) loop.start()
  }

  /** By name; without metrics undefined. */
  get records(): Readonly<Record<string, MetricRecord>> | undefined {
    if (this.#watched.length === 0) return undefined
    return Object.fromEntries(this.#watched.map(({ metric, points, missed }) => [metric.name, { points, missed }]))
  }

  /**
   * Waits until each has had a value: a limit of safety must not hang on one that never comes.
   *
   * @returns those that had none in this time, with the reason
   */
  async untilKnown(atMostMs: number, signal: AbortSignal): Promise<readonly MetricComplaint[]> {
    const { clock } = this.#options
    const deadlineMs = clock.now() + atMostMs
    for (;;) {
      const unknown = this.#watched.filter(({ points }) => points.length === 0)
      if (unknown.length === 0 || clock.now() >= deadlineMs) return unknown
      await waitFor(clock, RETRY_MS, signal)
    }
  }

  /** Gives up what is under way. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#watched.map(({ loop }) => loop.stop()))
    await Promise.all(this.#watched.map(({ probe }) => probe.close()))
  }

  #watch(metric: Metric): Watched {
    const { clock, originMs, phase, onSample } = this.#options
    const probe = createProbe(metric.probe, clock)
    const points: [number, number][] = []
    const missed: Record<string, number> = {}
    const loop = new OpenLoop({
      probe,
      ratePerSecond: 1000 / metric.everyMs,
      // A server that is slow must not get slower by being asked.
      maxOutstanding: 1,
      clock,
      originMs,
      phase,
      onAttempt: ({ intendedMs: atMs, reason }, { value } = { good: false }) => {
        if (value !== undefined && Number.isFinite(value)) {
          points.push([atMs, value])
          onSample({ name: metric.name, atMs, value })
          return
        }
        watched.reason = reason ?? 'the path selects no number'
        missed[watched.reason] = (missed[watched.reason] ?? 0) + 1
      },
    })
    const watched: Watched = { metric, probe, loop, points, missed, reason: 'no answer yet' }
    return watched
  }
}
