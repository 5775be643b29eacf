// An experiment as the runner knows it: all that its file says, in milliseconds, shares from 0 to 1 and complete specs.
// Times of steps begin at their phase.
import type { FaultSpec } from '../../proxy/index.ts'
import type { PartitionSpec } from '../../proxy/partition.ts'
import type { NotificationEvent, PhaseName } from '../model.ts'
import type { RateRamp } from '../measure/start-times.ts'
import type { Comparison, ProbeSpec } from '../probes/index.ts'
import type { AggregateName } from './probe-schema.ts'
import type { EnvironmentName, ValidationStepName } from './schema.ts'

export interface Experiment {
  readonly title: string
  readonly description: string
  /** `default` if the file names none. */
  readonly environment: EnvironmentName | 'default'
  readonly seed: number | undefined
  readonly steadyStates: readonly SteadyState[]
  readonly metrics: readonly Metric[]
  readonly preparation: { readonly atMostMs: number }
  readonly baseline: { readonly forMs: number }
  /** Undefined: there is no such phase. */
  readonly stress: { readonly forMs: number; readonly step: Step } | undefined
  readonly failure: { readonly forMs: number; readonly steps: readonly Step[] }
  readonly recovery: { readonly atMostMs: number; readonly consecutive: number }
  readonly validation: Validation
  readonly slo: Slo
  readonly safety: SafetyLimits
  readonly notify: readonly Webhook[]
}

/** Whom to tell, and of what. */
export interface Webhook {
  /** `http:` or `https:`. */
  readonly url: string
  readonly on: readonly NotificationEvent[]
}

/** How a probe is asked: its spec and at which rate. */
export interface Asking {
  readonly probe: ProbeSpec
  readonly perSecond: number
  /** So many runs may be under way; those beyond are dropped. */
  readonly maxOutstanding: number
}

export interface SteadyState extends Asking {
  readonly name: string
  readonly phases: readonly PhaseName[]
  /** What all its attempts in the failure phase together have to keep. */
  readonly aggregates: readonly Aggregate[]
  /** Attempts of the first so many milliseconds of the failure phase do not count for {@link aggregates}. */
  readonly settleMs: number
}

/** A number that is looked at beside the run. */
export interface Metric {
  /** Unique among them. */
  readonly name: string
  /** Its answers have a value. */
  readonly probe: ProbeSpec
  readonly everyMs: number
}

export interface Aggregate {
  readonly name: AggregateName
  /** In milliseconds, or a share. */
  readonly comparison: Comparison
}

export interface Step {
  /** Its field in the file, e.g. `phases.failure.0.parallel.1`. */
  readonly path: string
  readonly name: string
  readonly action: StepAction
  readonly fromMs: number
  readonly untilMs: number
  /** In this time it grows to its full intensity, evenly; 0 = at once. */
  readonly rampMs: number
  /** 1 to 5. */
  readonly severity: number
}

export type StepAction = FaultAction | PartitionAction | StressAction | LoadAction

/** Without name, lease and time to live, which the runner sees to. */
export type PlainFaultSpec = Omit<FaultSpec, 'name' | 'lease' | 'ttlMs' | 'enabled'>

export interface FaultAction {
  readonly kind: 'fault'
  readonly proxy: string
  readonly spec: PlainFaultSpec
  /** What a ramp begins with: the same attributes as numbers, and the probability if that grows. */
  readonly rampFrom: RampStart | undefined
}

export interface RampStart {
  readonly attributes: Readonly<Record<string, number>>
  readonly probability?: number
}

export interface PartitionAction {
  readonly kind: 'partition'
  readonly spec: Omit<PartitionSpec, 'name' | 'lease' | 'ttlMs'>
}

export interface StressAction {
  readonly kind: 'stress'
  readonly type: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** It does something once, and is over then. */
  readonly isOnce: boolean
}

export interface LoadAction extends Asking {
  readonly kind: 'load'
  /** Undefined: its rate is there at once. */
  readonly ramp?: RateRamp
}

export interface Validation {
  readonly attempts: number
  readonly pauseMs: number
  /** How long performance is measured. */
  readonly forMs: number
  readonly steps: readonly ValidationStepName[]
}

/** Thresholds; times in milliseconds, shares from 0 to 1. */
export interface Slo {
  readonly mttrMs: number
  readonly errorRate: number
  readonly availability: number
  readonly latencyDegradationMs: number
  readonly recoveryTimeMs: number
}

export interface SafetyLimits {
  readonly maxDurationMs: number
  readonly blastRadius: number
  /** By type of fault, or `partition`. */
  readonly blastRadiusByType: Readonly<Record<string, number>>
  readonly severity: number
  readonly abortWhen: readonly AbortCondition[]
  /** So long faults and partitions stay that act when the run ends. Undefined: they are undone. */
  readonly keepForMs: number | undefined
}

export const abortFigures = {
  errorRate: 'share',
  availability: 'share',
  responseTime: 'duration',
  cpu: 'share',
  memory: 'share',
  disk: 'share',
  eventLoopLag: 'duration',
} as const

export type AbortFigure = keyof typeof abortFigures

export interface AbortCondition {
  readonly figure: AbortFigure | 'metric'
  /** The name of the metric, if it is about one. */
  readonly metric?: string
  readonly comparison: Comparison
  /** As in the file, for people. */
  readonly text: string
  /** The time that is looked at, up to now. */
  readonly overMs: number
  /** Fewer attempts in that time tell nothing. */
  readonly atLeast: number
}
