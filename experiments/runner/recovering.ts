// Waits for the end of a disturbance: until all probes are good again and as fast as before, or until that took too long.
import type { Clock } from '../../proxy/clock.ts'
import type { Experiment } from '../file/experiment.ts'
import { baselineBand, findRecovery, type Recorder } from '../measure/index.ts'
import type { Attempt } from '../model.ts'
import { watched } from './verdicts.ts'
import { waitFor } from './waiting.ts'

export interface RecoveringOptions {
  readonly experiment: Experiment
  readonly recorder: Recorder
  readonly clock: Clock
  /** Those who hear of each attempt. */
  readonly listeners: Set<(attempt: Attempt) => void>
}

/**
 * @param removedMs when the last fault was removed, since the run's begin
 * @throws the signal's reason when it aborts
 */
export async function waitForRecovery(
  { experiment, recorder, clock, listeners }: RecoveringOptions,
  removedMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { atMostMs, consecutive } = experiment.recovery
  const since = new Map(
    watched(experiment)
      .filter(({ phases }) => phases.includes('recovery'))
      .map(({ name }) => {
        const baseline = recorder.attempts({ probes: [name], phases: ['baseline'] })
        const attempts = recorder.attempts({ probes: [name] }).filter(({ intendedMs }) => intendedMs >= removedMs)
        return [name, { bandMs: baselineBand(baseline, consecutive), attempts }]
      }),
  )
  const isRecovered = (): boolean =>
    [...since.values()].every(({ bandMs, attempts }) => {
      const inOrder = attempts.toSorted((a, b) => a.intendedMs - b.intendedMs)
      return findRecovery(inOrder, removedMs, bandMs, consecutive).stableMs !== null
    })
  if (isRecovered()) return
  const recovered = new AbortController()
  const listener = (attempt: Attempt): void => {
    since.get(attempt.probe)?.attempts.push(attempt)
    if (isRecovered()) recovered.abort()
  }
  listeners.add(listener)
  try {
    await waitFor(clock, atMostMs, AbortSignal.any([recovered.signal, signal]))
  } catch (error) {
    if (!recovered.signal.aborted) throw error
  } finally {
    listeners.delete(listener)
  }
}
