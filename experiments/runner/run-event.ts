// What a run tells while it goes on.
import type { Attempt, Journal, NotificationRecord, PhaseName, StepRecord } from '../model.ts'
import type { MachineSample } from './machine-monitor.ts'
import type { MetricSample } from './metric-monitor.ts'

/** What happens during a run, for who shows it. Times are milliseconds since the run's begin. */
export type RunEvent =
  /** So many experiments on this target have to end before; first and whenever that changes; 0: it is its turn. */
  | { readonly kind: 'queued'; readonly ahead: number }
  | { readonly kind: 'phase'; readonly phase: PhaseName; readonly atMs: number; readonly expectedMs: number }
  | { readonly kind: 'step'; readonly step: StepRecord }
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  | { readonly kind: 'machine'; readonly sample: MachineSample }
  | { readonly kind: 'metric'; readonly sample: MetricSample }
  /** It is over before its time: everything is being reverted. */
  | { readonly kind: 'stopping'; readonly atMs: number; readonly reason: string }
  /** @property kept what was left, as the experiment wants no rollback */
  | { readonly kind: 'reverted'; readonly atMs: number; readonly kept: readonly StepRecord[] }
  /** A condition of safety.abortWhen holds: `stopping` comes next. */
  | { readonly kind: 'breached'; readonly atMs: number; readonly reason: string }
  /** All is measured and judged. */
  | { readonly kind: 'finished'; readonly atMs: number; readonly journal: Journal }
  /** A webhook has been told, or could not be. */
  | { readonly kind: 'notification'; readonly record: NotificationRecord }
