// What a run tells while it goes on.
import type { Attempt, PhaseName, StepRecord } from '../model.ts'
import type { MachineSample } from './machine-monitor.ts'

/** What happens during a run, for who shows it. Times are milliseconds since the run's begin. */
export type RunEvent =
  | { readonly kind: 'queued' }
  | { readonly kind: 'phase'; readonly phase: PhaseName; readonly atMs: number; readonly expectedMs: number }
  | { readonly kind: 'step'; readonly step: StepRecord }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'machine'; readonly sample: MachineSample }
  /** It is over before its time: everything is being reverted. */
  | { readonly kind: 'stopping'; readonly atMs: number; readonly reason: string }
  | { readonly kind: 'reverted'; readonly atMs: number }
