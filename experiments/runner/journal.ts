// What a run leaves behind: its journal.
import type { Experiment } from '../file/experiment.ts'
import type { Analysis, Recorder } from '../measure/index.ts'
import type { Journal, Outcome, PhaseRecord, StepRecord, Verdict } from '../model.ts'
import type { MachineSample } from './machine-monitor.ts'

/** How a run ended before its time. */
export interface Stop {
  readonly outcome: 'aborted' | 'error'
  readonly reason: string
}

export interface RunRecord {
  readonly experiment: Experiment
  readonly id: string
  readonly seed: number
  readonly startedAt: string
  readonly durationMs: number
  readonly outcome: Outcome
  readonly reason: string | undefined
  readonly phases: readonly PhaseRecord[]
  readonly steps: readonly StepRecord[]
  readonly recorder: Recorder
  /** Undefined: nothing has acted. */
  readonly analysis: Analysis | undefined
  readonly verdicts: readonly Verdict[]
  readonly injections: Readonly<Record<string, number>>
  readonly machine: readonly MachineSample[]
  /** Undefined: there are none. */
  readonly metrics: Journal['metrics'] | undefined
}

export function describeRun({ experiment, recorder, analysis, reason, machine, metrics, ...run }: RunRecord): Journal {
  return {
    version: 1,
    id: run.id,
    title: experiment.title,
    environment: experiment.environment,
    seed: run.seed,
    startedAt: run.startedAt,
    durationMs: run.durationMs,
    outcome: run.outcome,
    ...(reason !== undefined && { reason }),
    phases: run.phases,
    steps: run.steps,
    probes: recorder.byProbe(),
    reasons: reasonsOf(recorder),
    seconds: recorder.seconds(),
    outages: analysis?.outages ?? [],
    detectionMs: analysis?.detectionMs ?? null,
    recoveryMs: { first: analysis?.recovery.firstMs ?? null, stable: analysis?.recovery.stableMs ?? null },
    verdicts: run.verdicts,
    injections: run.injections,
    machine: machine.map((sample) => ({ ...sample })),
    ...(metrics && { metrics }),
  }
}

/** Why attempts were not good: by probe, then by reason, how many. */
function reasonsOf(recorder: Recorder): Record<string, Record<string, number>> {
  const reasons: Record<string, Record<string, number>> = {}
  for (const { probe, outcome, reason = outcome } of recorder.attempts()) {
    if (outcome === 'good') continue
    const ofProbe = (reasons[probe] ??= {})
    ofProbe[reason] = (ofProbe[reason] ?? 0) + 1
  }
  return reasons
}

/** @param left what could not be undone */
export function outcomeOf(
  stop: Stop | undefined,
  left: readonly Error[],
  verdicts: readonly Verdict[],
): { readonly outcome: Outcome; readonly reason: string | undefined } {
  if (left.length > 0) {
    const reason = [stop?.reason ?? [], ...left.map(({ message }) => message)].flat().join('; ')
    return { outcome: 'cleanup-incomplete', reason }
  }
  if (stop) return stop
  if (verdicts.some(({ result }) => result === 'fail')) return { outcome: 'violated', reason: undefined }
  if (verdicts.some(({ result }) => result === 'inconclusive')) return { outcome: 'inconclusive', reason: undefined }
  return { outcome: 'passed', reason: undefined }
}
