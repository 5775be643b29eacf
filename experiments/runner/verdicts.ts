// What an experiment's attempts come to, held against what has to be kept.
import { Random } from '../../proxy/random.ts'
import type { Aggregate, Experiment, SteadyState } from '../file/experiment.ts'
import { analyse, findRecovery, uniteRecoveries, type Analysis, type Recorder } from '../measure/index.ts'
import type { Attempt, Verdict } from '../model.ts'
import {
  judgeAvailability,
  judgeDegradation,
  judgeErrorRate,
  judgeLatency,
  judgeMttr,
  judgeRecoveryTime,
  type AttemptCounts,
} from '../statistics/index.ts'

export interface Measured {
  readonly experiment: Experiment
  readonly recorder: Recorder
  readonly seed: number
  /** When the first fault was applied. */
  readonly appliedMs: number
  /** When the last one was removed. Null: it was not. */
  readonly removedMs: number | null
  /** When watching ended. */
  readonly untilMs: number
  /** The begin of the failure phase. */
  readonly failureMs: number
}

export interface Findings {
  readonly analysis: Analysis
  readonly verdicts: readonly Verdict[]
}

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const

export function judgeRun(measured: Measured): Findings {
  const { experiment, recorder, appliedMs, removedMs, untilMs, seed } = measured
  const { slo, recovery } = experiment
  const states = watched(experiment)
  const probes = states.map(({ name }) => name)
  const analysis = withRecovery(
    analyse({ recorder, probes, appliedMs, removedMs, untilMs }),
    measured,
    recovery.consecutive,
  )
  const counts = countsOf(recorder, probes, appliedMs)
  const probeIntervalMs = Math.max(0, ...states.map(({ perSecond }) => 1000 / perSecond))
  const since = removedMs === null ? [] : states.map(({ name }) => attemptsSince(recorder, name, removedMs))
  const verdicts = [
    judgeErrorRate(counts, slo.errorRate),
    judgeAvailability(counts, slo.availability),
    judgeDegradation({
      before: recorder.attempts({ probes, phases: ['baseline'] }),
      during: recorder.attempts({ probes, phases: ['failure'] }),
      thresholdMs: slo.latencyDegradationMs,
      random: new Random(seed, 'latencyDegradation'),
    }),
    judgeMttr(analysis.mttr, slo.mttrMs, probeIntervalMs),
    judgeRecoveryTime({
      recovery: analysis.recovery,
      thresholdMs: slo.recoveryTimeMs,
      probeIntervalMs,
      watchedMs: removedMs === null ? null : untilMs - removedMs,
      attempts: since.length === 0 ? 0 : Math.min(...since.map(({ length }) => length)),
    }),
    ...states.flatMap((state) => state.aggregates.map((aggregate) => judgeState(state, aggregate, measured))),
  ]
  return { analysis, verdicts }
}

/** Those that were asked while faults acted. */
export function watched({ steadyStates }: Experiment): readonly SteadyState[] {
  return steadyStates.filter(({ phases }) => phases.includes('failure'))
}

/** From the first fault until recovery has ended: the good ones of later on would only make errors look rare. */
function countsOf(recorder: Recorder, probes: readonly string[], appliedMs: number): AttemptCounts {
  const attempts = recorder
    .attempts({ probes, phases: ['failure', 'recovery'] })
    .filter(({ intendedMs }) => intendedMs >= appliedMs)
  return { attempts: attempts.length, good: attempts.filter(({ outcome }) => outcome === 'good').length }
}

/** By as many good attempts in a row as the experiment asks for. */
function withRecovery(analysis: Analysis, { experiment, recorder, removedMs }: Measured, inARow: number): Analysis {
  if (removedMs === null) return analysis
  const recoveries = watched(experiment).map(({ name }) =>
    findRecovery(recorder.attempts({ probes: [name] }), removedMs, analysis.bandsMs[name] ?? null, inARow),
  )
  return { ...analysis, recovery: uniteRecoveries(recoveries) }
}

function attemptsSince(recorder: Recorder, probe: string, fromMs: number): readonly Attempt[] {
  return recorder.attempts({ probes: [probe] }).filter(({ intendedMs }) => intendedMs >= fromMs)
}

function judgeState(state: SteadyState, { name, comparison }: Aggregate, measured: Measured): Verdict {
  const { recorder, failureMs, seed } = measured
  const fromMs = failureMs + state.settleMs
  const attempts = recorder
    .attempts({ probes: [state.name], phases: ['failure'] })
    .filter(({ intendedMs }) => intendedMs >= fromMs)
  const slo = `${state.name}: ${name}`
  const good = attempts.filter(({ outcome }) => outcome === 'good').length
  const counts = { attempts: attempts.length, good }
  if (name === 'errorRate') return judgeErrorRate(counts, comparison.number, slo)
  if (name === 'availability') return judgeAvailability(counts, comparison.number, slo)
  const quantile = QUANTILES[name]
  return judgeLatency({ slo, attempts, quantile, thresholdMs: comparison.number, random: new Random(seed, slo) })
}
