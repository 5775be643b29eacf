// An experiment in less time than its file says: to see that all of it can be carried out, not to measure anything.
import type { Experiment, Step } from '../file/experiment.ts'

/** The shortest step of a scenario, 100 ms, takes a millisecond then. */
export const MIN_TIME_SCALE = 0.01

/**
 * What goes on for a time goes on for this share of it: baseline, load, steps with their ramps and pauses, what is not
 * counted of their begin, and the performance check. What only may take so long, and all that is no time (rates, sizes,
 * thresholds), stays as it is. Rounded to milliseconds; no step gets shorter than one.
 *
 * The title says so too, and with it every report: such a run must not be taken for a measurement, nor its history for
 * that of the real one.
 *
 * @example
 * const rehearsal = scaleTime(experiment, 0.05) // a minute takes three seconds
 * @param factor from {@link MIN_TIME_SCALE} to 1, which changes nothing
 */
export function scaleTime(experiment: Experiment, factor: number): Experiment {
  if (factor === 1) return experiment
  const { baseline, stress, failure, validation } = experiment
  const scaled = (durationMs: number): number => Math.round(durationMs * factor)
  return {
    ...experiment,
    title: `${experiment.title}, time × ${factor}`,
    steadyStates: experiment.steadyStates.map((state) => ({ ...state, settleMs: scaled(state.settleMs) })),
    baseline: { forMs: Math.max(1, scaled(baseline.forMs)) },
    stress: stress && { forMs: Math.max(1, scaled(stress.forMs)), step: scaleStep(stress.step, scaled) },
    failure: {
      forMs: Math.max(1, scaled(failure.forMs)),
      steps: failure.steps.map((step) => scaleStep(step, scaled)),
    },
    validation: { ...validation, forMs: Math.max(1, scaled(validation.forMs)) },
  }
}

function scaleStep(step: Step, scaled: (durationMs: number) => number): Step {
  const { fromMs, untilMs, rampMs } = step
  const isLasting = untilMs > fromMs
  const scaledFromMs = scaled(fromMs)
  const scaledUntilMs = isLasting ? Math.max(scaled(untilMs), scaledFromMs + 1) : scaledFromMs
  const mostMs = isLasting ? scaledUntilMs - scaledFromMs : Infinity
  const { action } = step
  const ramp = action.kind === 'load' && action.ramp && { ...action.ramp, overMs: scaled(action.ramp.overMs) }
  return {
    ...step,
    ...(ramp && { action: { ...action, ramp } }),
    fromMs: scaledFromMs,
    untilMs: scaledUntilMs,
    rampMs: Math.min(scaled(rampMs), mostMs),
  }
}
