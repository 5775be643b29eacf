// How long an experiment takes at the longest.
import type { Experiment } from './experiment.ts'

/** In milliseconds, if every phase takes as long as it may; answers that come late in the end are not counted. */
export function longestOf(experiment: Experiment): number {
  const { preparation, baseline, stress, failure, recovery, validation } = experiment
  const { attempts, pauseMs, forMs, steps } = validation
  const measuredMs = steps.includes('performance_baseline_check') ? attempts * forMs : 0
  const pausedMs = steps.length * (attempts - 1) * pauseMs
  const actingMs = baseline.forMs + (stress?.forMs ?? 0) + failure.forMs
  return preparation.atMostMs + actingMs + recovery.atMostMs + measuredMs + pausedMs
}
