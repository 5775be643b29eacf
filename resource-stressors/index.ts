// The public face of stressors: `import { Stressors } from 'faultline/stressors'`.
export type { Figures, StressorDefinition } from './definition.ts'
export {
  stressorEnds,
  type StressorEnd,
  type StressorEvent,
  type StressorEventFilter,
  type StressorEventType,
  type StressorLog,
} from './log.ts'
export { findStressorDefinition, stressors, stressorTypes, type StressorType } from './registry.ts'
export type { StressorHolder } from './hold.ts'
export { stressorSpecSchema, type StressorSpec } from './spec.ts'
export type { Stressor, StressorState } from './stressor.ts'
export { Stressors, type StressorsOptions } from './stressors.ts'
