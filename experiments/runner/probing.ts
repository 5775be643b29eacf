// The probes of an experiment: asked at their rates in the phases that they are for, and once where that is enough.
import type { Clock } from '../../proxy/clock.ts'
import type { SteadyState } from '../file/experiment.ts'
import { OpenLoop } from '../measure/index.ts'
import type { Attempt, PhaseName } from '../model.ts'
import { createProbe, type Probe } from '../probes/index.ts'
import { unlessAborted, waitFor } from './waiting.ts'

export interface ProbingOptions {
  readonly clock: Clock
  /** The clock's time at the run's begin. */
  readonly originMs: number
  readonly onAttempt: (attempt: Attempt) => void
}

/** A probe that was not good when asked once. */
export interface Complaint {
  readonly state: SteadyState
  readonly reason: string
}

const RETRY_MS = 100

export class Probing {
  readonly #states: readonly SteadyState[]
  readonly #options: ProbingOptions
  readonly #probes = new Map<SteadyState, Probe>()
  readonly #loops = new Map<SteadyState, OpenLoop>()
  /** Loops that start no more attempts. */
  readonly #draining: Promise<void>[] = []
  #phase: PhaseName = 'preparation'

  constructor(states: readonly SteadyState[], options: ProbingOptions) {
    this.#states = states
    this.#options = options
    for (const state of states) this.#probes.set(state, createProbe(state.probe, options.clock))
  }

  /** Asks from now on those that are for this phase. Loops go on where they are wanted in both. */
  enter(phase: PhaseName): void {
    this.#phase = phase
    for (const state of this.#states) {
      const loop = this.#loops.get(state)
      const isWanted = state.phases.includes(phase)
      if (isWanted && !loop) this.#start(state)
      if (!isWanted && loop) this.#end(state, loop)
    }
  }

  #start(state: SteadyState): void {
    const { clock, originMs, onAttempt } = this.#options
    const { perSecond, maxOutstanding } = state
    const loop = new OpenLoop({
      probe: this.#probe(state),
      ratePerSecond: perSecond,
      maxOutstanding,
      clock,
      originMs,
      phase: () => this.#phase,
      onAttempt,
    })
    this.#loops.set(state, loop)
    loop.start()
  }

  #end(state: SteadyState, loop: OpenLoop): void {
    this.#loops.delete(state)
    const drained = loop.drain()
    drained.catch(() => undefined) // told by finish()
    this.#draining.push(drained)
  }

  /** Asks each once, all at the same time. @returns those that are not good */
  async askOnce(states: readonly SteadyState[], signal: AbortSignal): Promise<readonly Complaint[]> {
    const complaints = states.map(async (state): Promise<Complaint[]> => {
      const { good, reason = 'not good' } = await this.#probe(state).run(signal)
      return good ? [] : [{ state, reason }]
    })
    return (await Promise.all(complaints)).flat()
  }

  /** Asks all until each has been good once. @returns those that have not been within the time */
  async untilGood(atMostMs: number, signal: AbortSignal): Promise<readonly Complaint[]> {
    const { clock } = this.#options
    const deadlineMs = clock.now() + atMostMs
    let complaints: readonly Complaint[] = this.#states.map((state) => ({ state, reason: 'was not asked' }))
    for (;;) {
      const states = complaints.map(({ state }) => state)
      complaints = await unlessAborted(this.askOnce(states, signal), signal)
      if (complaints.length === 0 || clock.now() + RETRY_MS > deadlineMs) return complaints
      await waitFor(clock, RETRY_MS, signal)
    }
  }

  /** Starts no more attempts and waits for those under way. @throws what a probe or who listens threw */
  async finish(): Promise<void> {
    for (const [state, loop] of this.#loops) this.#end(state, loop)
    await Promise.all(this.#draining)
  }

  /** Gives everything up. */
  async close(): Promise<void> {
    const loops = [...this.#loops.values()]
    this.#loops.clear()
    await Promise.allSettled(loops.map((loop) => loop.stop()))
    await Promise.all([...this.#probes.values()].map((probe) => probe.close()))
    await Promise.allSettled(this.#draining)
  }

  #probe(state: SteadyState): Probe {
    const probe = this.#probes.get(state)
    if (!probe) throw new Error(`there is no probe ${state.name}`)
    return probe
  }
}
