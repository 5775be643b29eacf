// The parts of an experiment file as their schemas have them.
import type { Static } from '@sinclair/typebox'
import type { steadyStateSchema } from './probe-schema.ts'
import type { abortConditionSchema, experimentSchema, phasesSchema, safetySchema, sloSchema } from './schema.ts'

export type ExperimentFields = Static<typeof experimentSchema>
export type PhasesFields = Static<typeof phasesSchema>
export type SafetyFields = Static<typeof safetySchema>
export type AbortFields = Static<typeof abortConditionSchema>
export type SloFields = Static<typeof sloSchema>
export type SteadyStateFields = Static<typeof steadyStateSchema>
