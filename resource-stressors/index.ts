// The public face of stressors: `import { Stressors } from 'faultline/stressors'`.
export type { Figures, StressorDefinition } from './definition.ts'
export type { StressorEnd, StressorEvent, StressorEventFilter, StressorEventType, StressorLog } from './log.ts'
export { findStressorDefinition, stressors, stressorTypes, type StressorType } from './registry.ts'
export { stressorSpecSchema, type StressorSpec } from './spec.ts'
export type { Stressor, StressorState } from './stressor.ts'
export { Stressors, type StressorsOptions } from './stressors.ts'
