// Starts a probe at a rate, open loop: start times are fixed beforehand, and no slow answer holds the next start up. A
// loop that waits for answers asks least while a service is at its worst, and so never sees it (coordinated omission).
import { systemClock, type Clock, type TimerHandle } from '../../proxy/clock.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue } from '../../proxy/validate.ts'
import type { Attempt, PhaseName } from '../model.ts'
import type { Probe, ProbeAnswer } from '../probes/probe.ts'
import { attemptOnce } from './attempt-once.ts'
import { startTimes, type RateRamp } from './start-times.ts'

export interface OpenLoopOptions {
  readonly probe: Pick<Probe, 'name' | 'run'>
  /** Up to 10,000. */
  readonly ratePerSecond: number
  /** How it gets there. Default: at once. */
  readonly ramp?: RateRamp | undefined
  /** Starts beyond so many under way are dropped, and reported. Default 100. */
  readonly maxOutstanding?: number
  readonly clock?: Clock
  /** The clock's time at the run's begin, from which the times of attempts count. Default: now. */
  readonly originMs?: number
  /** The phase in which an attempt starts. */
  readonly phase: () => PhaseName
  /** Hears of every attempt when it has ended. No answer: it was dropped. */
  readonly onAttempt: (attempt: Attempt, answer?: ProbeAnswer) => void
}

/** An attempt that was given up by {@link OpenLoop.stop}: neither good nor failed, and so not among the attempts. */
export interface GivenUp {
  readonly probe: string
  readonly intendedMs: number
  /** So long it had waited: it would have taken at least as much. */
  readonly waitedMs: number
}

const MAX_RATE_PER_SECOND = 10_000

const DEFAULT_MAX_OUTSTANDING = 100

/**
 * Timers come up to so much late by themselves. That is the grain of the ruler: within it an attempt counts from when it
 * did start. Beyond it something held it up, and it counts from when it should have.
 */
const TIMER_GRAIN_MS = 2

type State = 'new' | 'running' | 'ending'

/**
 * ```ts
 * const loop = new OpenLoop({ probe, ratePerSecond: 20, phase: () => 'baseline', onAttempt: (it) => recorder.record(it) })
 * loop.start()
 * …
 * await loop.drain()
 * ```
 */
export class OpenLoop {
  readonly #options: OpenLoopOptions
  readonly #clock: Clock
  readonly #originMs: number
  /** After the first one, by how many there were before. */
  readonly #startTime: (count: number) => number
  readonly #maxOutstanding: number
  /** Intended start and abort of each attempt that is under way, by the promise of its end. */
  readonly #outstanding = new Map<Promise<void>, { readonly intendedMs: number; readonly abort: AbortController }>()
  readonly #givenUp: GivenUp[] = []
  #state: State = 'new'
  #timer: TimerHandle
  #trouble: { readonly error: unknown } | undefined

  /** @throws FaultlineError `invalid_value` naming `ratePerSecond` or `maxOutstanding` */
  constructor(options: OpenLoopOptions) {
    const { ratePerSecond, maxOutstanding = DEFAULT_MAX_OUTSTANDING, clock = systemClock } = options
    if (!(ratePerSecond > 0 && ratePerSecond <= MAX_RATE_PER_SECOND)) {
      throw invalid('ratePerSecond', `a number above 0 and at most ${MAX_RATE_PER_SECOND}`, ratePerSecond)
    }
    if (!(Number.isInteger(maxOutstanding) && maxOutstanding >= 1)) {
      throw invalid('maxOutstanding', 'an integer ≥ 1', maxOutstanding)
    }
    this.#options = options
    this.#clock = clock
    this.#originMs = options.originMs ?? clock.now()
    this.#startTime = startTimes(ratePerSecond, options.ramp)
    this.#maxOutstanding = maxOutstanding
  }

  get outstanding(): number {
    return this.#outstanding.size
  }

  /** The first attempt starts at once. A loop starts once. */
  start(): void {
    if (this.#state !== 'new') throw new Error('the loop was started before')
    this.#state = 'running'
    const startMs = this.#now()
    let count = 0
    const launchDue = (): void => {
      const nowMs = this.#now()
      let nextMs = startMs + this.#startTime(count)
      for (; nextMs <= nowMs && this.#state === 'running'; nextMs = startMs + this.#startTime(++count)) {
        this.#launch(nowMs - nextMs <= TIMER_GRAIN_MS ? nowMs : nextMs)
      }
      if (this.#state === 'running') this.#timer = this.#clock.setTimer(launchDue, nextMs - nowMs)
    }
    launchDue()
  }

  /**
   * Starts no more attempts, and waits for those under way: each has its probe's own timeout.
   *
   * @throws what a probe or `onAttempt` threw
   */
  async drain(): Promise<void> {
    this.#end()
    await Promise.all(this.#outstanding.keys())
    if (this.#trouble) throw this.#trouble.error
  }

  /**
   * Starts no more attempts, and gives up those under way.
   *
   * @returns what was given up
   * @throws what a probe or `onAttempt` threw
   */
  async stop(): Promise<readonly GivenUp[]> {
    this.#end()
    for (const { intendedMs, abort } of this.#outstanding.values()) {
      this.#givenUp.push({ probe: this.#options.probe.name, intendedMs, waitedMs: this.#now() - intendedMs })
      abort.abort()
    }
    await this.drain()
    return this.#givenUp
  }

  #end(): void {
    this.#state = 'ending'
    this.#clock.clearTimer(this.#timer)
  }

  #now(): number {
    return this.#clock.now() - this.#originMs
  }

  #launch(intendedMs: number): void {
    const phase = this.#options.phase()
    if (this.#outstanding.size >= this.#maxOutstanding) {
      const { name } = this.#options.probe
      const reason = `${this.#maxOutstanding} under way`
      this.#tell({ probe: name, phase, intendedMs, latencyMs: 0, outcome: 'dropped', reason })
      return
    }
    const abort = new AbortController()
    const attempt = this.#attempt(intendedMs, phase, abort.signal).catch((error: unknown) => this.#fail(error))
    this.#outstanding.set(attempt, { intendedMs, abort })
    void attempt.then(() => this.#outstanding.delete(attempt))
  }

  async #attempt(intendedMs: number, phase: PhaseName, signal: AbortSignal): Promise<void> {
    const now = (): number => this.#now()
    const { attempt, answer } = await attemptOnce(this.#options.probe, { phase, intendedMs, now, signal })
    if (!signal.aborted) this.#tell(attempt, answer)
  }

  #tell(attempt: Attempt, answer?: ProbeAnswer): void {
    try {
      this.#options.onAttempt(attempt, answer)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Keeps the first trouble for who ends the loop: nobody waits for single attempts. */
  #fail(error: unknown): void {
    this.#trouble ??= { error }
    this.#end()
  }
}

function invalid(field: string, expected: string, value: unknown): FaultlineError {
  return new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${describeValue(value)}`, {
    field,
    expected,
  })
}
