// The parts of an experiment file as their schemas have them.
import type { Static } from '@sinclair/typebox'
import type { loadSchema, metricSchema, steadyStateSchema } from './probe-schema.ts'
import type {
  abortConditionSchema,
  experimentSchema,
  phasesSchema,
  safetySchema,
  sloSchema,
  webhookSchema,
} from './schema.ts'

export type ExperimentFields = Static<typeof experimentSchema>
export type PhasesFields = Static<typeof phasesSchema>
export type SafetyFields = Static<typeof safetySchema>
export type AbortFields = Static<typeof abortConditionSchema>
export type WebhookFields = Static<typeof webhookSchema>
export type SloFields = Static<typeof sloSchema>
export type LoadFields = Static<typeof loadSchema>
export type MetricFields = Static<typeof metricSchema>
export type SteadyStateFields = Static<typeof steadyStateSchema>
