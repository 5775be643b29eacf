// What is allowed and what has to be kept, by environment, where a file says nothing.
import type { NotificationEvent } from '../model.ts'
import type { Experiment, Slo } from './experiment.ts'
import { HARDEST } from './severity.ts'

type Environment = Experiment['environment']

/** The same everywhere. */
const common = { latencyDegradationMs: 500, recoveryTimeMs: 10_000 }

export const usualSlo: Readonly<Record<Environment, Slo>> = {
  development: { ...common, mttrMs: 60_000, errorRate: 0.1, availability: 0.9 },
  staging: { ...common, mttrMs: 45_000, errorRate: 0.05, availability: 0.95 },
  production: { ...common, mttrMs: 30_000, errorRate: 0.01, availability: 0.99 },
  default: { ...common, mttrMs: 30_000, errorRate: 0.05, availability: 0.95 },
}

export const usualSeverity: Readonly<Record<Environment, number>> = {
  development: HARDEST,
  staging: HARDEST,
  production: 3,
  default: HARDEST,
}

export const DEFAULT_BLAST_RADIUS = 0.3
export const DEFAULT_NOTIFICATIONS: readonly NotificationEvent[] = ['started', 'breached', 'finished']
export const DEFAULT_KEEP_FOR_MS = 10 * 60_000
export const DEFAULT_MAX_DURATION_MS = 30 * 60_000
