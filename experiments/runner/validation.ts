// The checks at the end of an experiment: whether all is well again.
import type { Experiment, SteadyState } from '../file/experiment.ts'
import type { ValidationStepName } from '../file/schema.ts'
import { formatDuration } from '../file/units.ts'
import { baselineBand, type Recorder } from '../measure/index.ts'
import type { StepRecord, Verdict } from '../model.ts'
import type { Clock } from '../../proxy/clock.ts'
import type { Probing } from './probing.ts'
import { waitFor } from './waiting.ts'

export interface ValidationOptions {
  readonly experiment: Experiment
  readonly probing: Probing
  readonly recorder: Recorder
  readonly clock: Clock
  /** Milliseconds since the run's begin. */
  readonly now: () => number
  readonly onStep: (record: StepRecord) => void
}

/** Checks one after another; each is tried so often until it is good. @throws the signal's reason */
export async function validate(options: ValidationOptions, signal: AbortSignal): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const name of options.experiment.validation.steps) verdicts.push(await check(options, name, signal))
  return verdicts
}

async function check(options: ValidationOptions, name: ValidationStepName, signal: AbortSignal): Promise<Verdict> {
  const { experiment, clock, now, onStep } = options
  const { attempts, pauseMs } = experiment.validation
  const appliedMs = now()
  let complaint: string | undefined
  let tried = 0
  while (tried < attempts) {
    if (tried > 0) await waitFor(clock, pauseMs, signal)
    tried++
    complaint = await looks[name](options, signal)
    signal.throwIfAborted()
    if (complaint === undefined) break
  }
  const error = complaint === undefined ? {} : { error: complaint }
  onStep({ phase: 'validation', name, kind: 'check', appliedMs, undoneMs: now(), ...error })
  const times = tried === 1 ? 'at the first attempt' : `after ${tried} attempts`
  return {
    slo: name,
    result: complaint === undefined ? 'pass' : 'fail',
    measured: complaint === undefined ? 1 : 0,
    threshold: 1,
    n: tried,
    why: complaint === undefined ? `It was good ${times}.` : `It was not good ${times}: ${complaint}.`,
  }
}

/** What is wrong, or undefined. */
type Look = (options: ValidationOptions, signal: AbortSignal) => Promise<string | undefined>

const looks: Readonly<Record<ValidationStepName, Look>> = {
  service_health_check: (options, signal) => askAll(options, ({ probe }) => probe.kind !== 'sql', signal),
  data_consistency_check: (options, signal) => askAll(options, ({ probe }) => probe.kind === 'sql', signal),
  performance_baseline_check: comparePerformance,
}

async function askAll(
  { experiment, probing }: ValidationOptions,
  isMeant: (state: SteadyState) => boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  const states = experiment.steadyStates.filter((state) => state.phases.includes('validation') && isMeant(state))
  const complaints = await probing.askOnce(states, signal)
  if (complaints.length === 0) return undefined
  return complaints.map(({ state, reason }) => `${state.name}: ${reason}`).join('; ')
}

async function comparePerformance(
  { experiment, recorder, clock, now }: ValidationOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  const fromMs = now()
  await waitFor(clock, experiment.validation.forMs, signal)
  const complaints = experiment.steadyStates
    .filter(({ phases }) => phases.includes('baseline') && phases.includes('validation'))
    .flatMap(({ name }) => {
      const bandMs = baselineBand(recorder.attempts({ probes: [name], phases: ['baseline'] }))
      const recent = recorder.attempts({ probes: [name] }).filter(({ intendedMs }) => intendedMs >= fromMs)
      const latencies = recent.filter(({ outcome }) => outcome === 'good').map(({ latencyMs }) => latencyMs)
      const sorted = latencies.toSorted((a, b) => a - b)
      const p95Ms = sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)]
      if (bandMs === null) return [] // too few in the baseline to know what is usual
      if (p95Ms === undefined) return [`${name}: no answer was good`]
      if (p95Ms <= bandMs) return []
      return [`${name}: p95 ${formatDuration(p95Ms)}, expected at most ${formatDuration(bandMs)} as in the baseline`]
    })
  return complaints.length === 0 ? undefined : complaints.join('; ')
}
