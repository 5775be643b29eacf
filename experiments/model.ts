// What the parts of an experiment hand to each other: attempts of probes, steps, verdicts, the journal of a run.
// All times are milliseconds since the run began, by a monotonic clock; shares are 0 to 1.

/** In this order. */
export const phaseNames = [
  'preparation',
  'baseline',
  'stress',
  'failure',
  'recovery',
  'validation',
  'analysis',
] as const

export type PhaseName = (typeof phaseNames)[number]

/** One scheduled try of a probe. */
export interface Attempt {
  readonly probe: string
  readonly phase: PhaseName
  /** When it was to start. Latency counts from here, whether it did or not. */
  readonly intendedMs: number
  /** Until the answer, or until it failed or was given up. */
  readonly latencyMs: number
  /** `dropped`: it never started, as too many of its probe were under way. Counts as failed, and is reported. */
  readonly outcome: 'good' | 'failed' | 'dropped'
  /** Why it is not good, e.g. `timeout`, `ECONNREFUSED`, `status 503, expected 200`. */
  readonly reason?: string
}

/** A stretch of time in which something of a phase, or a fault, was there. */
export interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

export interface PhaseRecord extends Span {
  readonly name: PhaseName
}

/** A step of the timeline as it was carried out. */
export interface StepRecord {
  readonly phase: PhaseName
  /** E.g. `fault latency on payments`. */
  readonly name: string
  readonly kind: 'fault' | 'partition' | 'stress' | 'load' | 'check'
  readonly appliedMs: number
  /** Undefined if it has not been undone. */
  readonly undoneMs?: number
  /** Of a stressor: what it was to reach in the end, e.g. `cpuCores`. Left out: nobody could be asked. */
  readonly requested?: Readonly<Record<string, number>>
  /** Of a stressor: what it had when it ended. */
  readonly achieved?: Readonly<Record<string, number>>
  /** Of a stressor: what should be known of these, e.g. that they were capped. Left out: nothing. */
  readonly notes?: readonly string[]
  readonly error?: string
  /** It was left, as the experiment wants no rollback; at this time of the run it ends by itself. */
  readonly keptUntilMs?: number
}

/** What was measured of a probe, or of all of them together, in a phase or a second. */
export interface Figures {
  readonly attempts: number
  readonly good: number
  readonly failed: number
  readonly dropped: number
  /** Of all attempts, in milliseconds; null without any. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  /** Of good ones alone. */
  readonly goodP50Ms: number | null
  readonly goodP95Ms: number | null
  readonly goodP99Ms: number | null
}

export interface SecondRecord extends Figures {
  /** The second's number: 0 is the run's first. */
  readonly second: number
  readonly phase: PhaseName
}

/** From a failure of the whole to its end; `untilMs` undefined: it never recovered while it was watched (censored). */
export interface Outage {
  readonly fromMs: number
  readonly untilMs?: number
}

export type VerdictResult = 'pass' | 'fail' | 'inconclusive'

/** An SLO, and whether it was kept. */
export interface Verdict {
  /** As in the file: `mttr`, `errorRate`, `availability`, `latencyDegradation`, `recoveryTime`, or a steady state's name. */
  readonly slo: string
  readonly result: VerdictResult
  /** In the unit of its name: milliseconds, or a share. Null if nothing could be measured. */
  readonly measured: number | null
  readonly threshold: number
  /** 95 % confidence, where there is one. */
  readonly interval?: readonly [number, number]
  /** How many samples it stands on. */
  readonly n: number
  /** A sentence for people: what was seen, and why it is inconclusive if it is. */
  readonly why: string
}

/** How a run ended. Three kinds of trouble, three exit codes: SLO violated 1, error of the tool 3, cleanup incomplete 4. */
export type Outcome = 'passed' | 'violated' | 'inconclusive' | 'aborted' | 'error' | 'cleanup-incomplete'

/** What a custom metric was. */
export interface MetricRecord {
  /** When it was asked, in the run, and what it was. */
  readonly points: readonly (readonly [atMs: number, value: number])[]
  /** By the reason why there was no value, how often. */
  readonly missed: Readonly<Record<string, number>>
}

/** What webhooks are told of: `stopped` is that it ends before its time, for whatever reason. */
export const notificationEvents = ['started', 'phase', 'breached', 'stopped', 'finished'] as const

export type NotificationEvent = (typeof notificationEvents)[number]

/** What became of telling a webhook. */
export interface NotificationRecord {
  readonly event: NotificationEvent
  /** Its origin: what is behind that is often a secret. */
  readonly webhook: string
  /** When it happened. */
  readonly atMs: number
  readonly attempts: number
  /** Left out: it arrived. */
  readonly error?: string
}

/** Everything that is known of a run: results.json. */
export interface Journal {
  readonly version: 1
  readonly id: string
  readonly title: string
  readonly environment: string
  readonly seed: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly durationMs: number
  readonly outcome: Outcome
  /** Why it was aborted or went wrong. */
  readonly reason?: string
  readonly phases: readonly PhaseRecord[]
  readonly steps: readonly StepRecord[]
  /** By probe, then by phase. */
  readonly probes: Readonly<Record<string, Readonly<Partial<Record<PhaseName, Figures>>>>>
  /** Why attempts were not good: by probe, then by reason, how many. Left out: it was not kept. */
  readonly reasons?: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Of all probes together. */
  readonly seconds: readonly SecondRecord[]
  readonly outages: readonly Outage[]
  readonly detectionMs: number | null
  /** Fault removed → the first good probe, and → the first of the stable ones. */
  readonly recoveryMs: { readonly first: number | null; readonly stable: number | null }
  readonly verdicts: readonly Verdict[]
  /** How often each fault acted, by its name. */
  readonly injections: Readonly<Record<string, number>>
  /** This machine, once a second: shares of CPU and memory, and so on. */
  readonly machine: readonly Readonly<Record<string, number>>[]
  /** Custom ones, by name. Left out: there are none. */
  readonly metrics?: Readonly<Record<string, MetricRecord>>
  /** Left out: nobody was to be told. */
  readonly notifications?: readonly NotificationRecord[]
}
