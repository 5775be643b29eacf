// Every attempt of a run, and its figures: by probe, phase and second.
import { FaultlineError } from '../../proxy/errors.ts'
import { phaseNames, type Attempt, type Figures, type PhaseName, type SecondRecord } from '../model.ts'
import { Tally } from './tally.ts'

/** All attempts of a run are kept, a tenth of a kilobyte each. At 100 a second it is enough for almost three hours. */
export const MAX_ATTEMPTS = 1_000_000

/** Left out: all of them. */
export interface Selection {
  readonly probes?: readonly string[]
  readonly phases?: readonly PhaseName[]
}

export class Recorder {
  readonly #attempts: Attempt[] = []
  readonly #tallies = new Map<string, Map<PhaseName, Tally>>()
  readonly #maxAttempts: number

  /** @param maxAttempts default {@link MAX_ATTEMPTS} */
  constructor(maxAttempts = MAX_ATTEMPTS) {
    this.#maxAttempts = maxAttempts
  }

  /** @throws FaultlineError `limit_reached` */
  record(attempt: Attempt): void {
    if (this.#attempts.length >= this.#maxAttempts) {
      throw new FaultlineError('limit_reached', `a run has at most ${this.#maxAttempts} attempts of probes`)
    }
    this.#attempts.push(attempt)
    const { probe, phase } = attempt
    let phases = this.#tallies.get(probe)
    if (!phases) this.#tallies.set(probe, (phases = new Map()))
    let tally = phases.get(phase)
    if (!tally) phases.set(phase, (tally = new Tally()))
    tally.add(attempt)
  }

  /** The names of those that have been tried. */
  get probes(): readonly string[] {
    return [...this.#tallies.keys()]
  }

  /** In the order of intended starts. */
  attempts(selection: Selection = {}): Attempt[] {
    const { probes, phases } = selection
    const isSelected = ({ probe, phase }: Attempt): boolean =>
      (probes?.includes(probe) ?? true) && (phases?.includes(phase) ?? true)
    return this.#attempts.filter(isSelected).sort((a, b) => a.intendedMs - b.intendedMs)
  }

  /** Of all selected attempts together. */
  figures({ probes, phases }: Selection = {}): Figures {
    const merged = new Tally()
    for (const [probe, tallies] of this.#tallies) {
      if (probes && !probes.includes(probe)) continue
      for (const [phase, tally] of tallies) if (phases?.includes(phase) ?? true) merged.merge(tally)
    }
    return merged.figures()
  }

  /** Of attempts that were to start from `fromMs` on, and before `untilMs`: for what is shown while it runs. */
  figuresBetween(fromMs: number, untilMs: number): Figures {
    const tally = new Tally()
    for (const attempt of this.#attempts) {
      if (attempt.intendedMs >= fromMs && attempt.intendedMs < untilMs) tally.add(attempt)
    }
    return tally.figures()
  }

  /** By probe, then by phase. */
  byProbe(): Record<string, Partial<Record<PhaseName, Figures>>> {
    const entries = [...this.#tallies].map(([probe, tallies]) => {
      const inOrder = phaseNames.flatMap((phase) => {
        const tally = tallies.get(phase)
        return tally ? [[phase, tally.figures()] as const] : []
      })
      return [probe, Object.fromEntries(inOrder)] as const
    })
    return Object.fromEntries(entries)
  }

  /**
   * A record a second in which an attempt was to start. Where a phase begins within a second there are two of them, one
   * for each phase.
   */
  seconds(selection: Selection = {}): SecondRecord[] {
    const groups = new Map<
      string,
      { readonly second: number; readonly phase: PhaseName; readonly attempts: Attempt[] }
    >()
    for (const attempt of this.attempts(selection)) {
      const { phase } = attempt
      const second = Math.floor(attempt.intendedMs / 1000)
      const key = `${second} ${phase}`
      const group = groups.get(key)
      if (group) group.attempts.push(attempt)
      else groups.set(key, { second, phase, attempts: [attempt] })
    }
    return [...groups.values()].map(({ second, phase, attempts }) => {
      const tally = new Tally()
      for (const attempt of attempts) tally.add(attempt)
      return { second, phase, ...tally.figures() }
    })
  }
}
