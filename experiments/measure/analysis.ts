// All that a run's attempts come to, once it is over.
import type { Attempt, Figures, Outage, PhaseName } from '../model.ts'
import {
  detectionTime,
  findOutages,
  meanTimeToRecovery,
  uniteOutages,
  uptime,
  type MeanTimeToRecovery,
  type OutageRule,
} from './outages.ts'
import type { Recorder } from './recorder.ts'
import { baselineBand, findRecovery, uniteRecoveries, type Recovery } from './recovery.ts'

export interface AnalysisOptions {
  readonly recorder: Recorder
  /** Those that ran at a rate: they are what the whole is made of. */
  readonly probes: readonly string[]
  /** When the first fault was applied. */
  readonly appliedMs: number
  /** When the last one was removed. Null: it was not. */
  readonly removedMs: number | null
  /** When watching ended. */
  readonly untilMs: number
  readonly outageRule?: OutageRule
}

/** What a percentile has become longer by, in milliseconds; null where there is nothing to compare. */
export interface Degradation {
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  readonly goodP50Ms: number | null
  readonly goodP95Ms: number | null
  readonly goodP99Ms: number | null
}

export interface Analysis {
  /** Of the whole. */
  readonly outages: readonly Outage[]
  readonly detectionMs: number | null
  readonly recovery: Recovery
  readonly mttr: MeanTimeToRecovery
  /** Good attempts of all, since the first fault was applied. */
  readonly counts: { readonly attempts: number; readonly good: number; readonly dropped: number }
  /** By time, since the first fault was applied. */
  readonly uptime: number | null
  /** From the baseline to the phase `failure`. */
  readonly degradation: Degradation
  /** The baseline's band by probe, where there is one: the highest p95 that still is usual, in milliseconds. */
  readonly bandsMs: Readonly<Record<string, number>>
}

/** Phases whose attempts are the baseline's. */
const BEFORE: readonly PhaseName[] = ['baseline']
const DURING: readonly PhaseName[] = ['failure']

export function analyse(options: AnalysisOptions): Analysis {
  const { recorder, probes, appliedMs, removedMs, untilMs, outageRule } = options
  const outages: Outage[][] = []
  const recoveries: Recovery[] = []
  const since: Attempt[] = []
  const bandsMs: Record<string, number> = {}
  for (const probe of probes) {
    const attempts = recorder.attempts({ probes: [probe] })
    const bandMs = baselineBand(recorder.attempts({ probes: [probe], phases: BEFORE }))
    if (bandMs !== null) bandsMs[probe] = bandMs
    // An attempt that was under way when the fault came may tell of it.
    const concerned = attempts.filter((attempt) => attempt.intendedMs + attempt.latencyMs >= appliedMs)
    const found = findOutages(concerned, outageRule)
    outages.push(found.map((outage) => ({ ...outage, fromMs: Math.max(outage.fromMs, appliedMs) })))
    if (removedMs !== null) recoveries.push(findRecovery(attempts, removedMs, bandMs))
    since.push(...attempts.filter((attempt) => attempt.intendedMs >= appliedMs))
  }
  const whole = uniteOutages(outages)
  return {
    outages: whole,
    detectionMs: detectionTime(
      probes.flatMap((probe) => recorder.attempts({ probes: [probe] })),
      appliedMs,
    ),
    recovery: uniteRecoveries(recoveries),
    mttr: meanTimeToRecovery(whole, untilMs),
    counts: {
      attempts: since.length,
      good: since.filter(({ outcome }) => outcome === 'good').length,
      dropped: since.filter(({ outcome }) => outcome === 'dropped').length,
    },
    uptime: uptime(whole, { fromMs: appliedMs, untilMs }),
    degradation: degradation(
      recorder.figures({ probes, phases: BEFORE }),
      recorder.figures({ probes, phases: DURING }),
    ),
    bandsMs,
  }
}

/** Merged histograms against merged histograms. */
export function degradation(before: Figures, during: Figures): Degradation {
  const change = (name: keyof Degradation): number | null => {
    const [from, to] = [before[name], during[name]]
    return from === null || to === null ? null : to - from
  }
  return {
    p50Ms: change('p50Ms'),
    p95Ms: change('p95Ms'),
    p99Ms: change('p99Ms'),
    goodP50Ms: change('goodP50Ms'),
    goodP95Ms: change('goodP95Ms'),
    goodP99Ms: change('goodP99Ms'),
  }
}
