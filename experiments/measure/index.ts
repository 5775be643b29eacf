// Measuring: probes at a rate, what they came to, and when a service was down.
export { analyse, degradation, type Analysis, type AnalysisOptions, type Degradation } from './analysis.ts'
export { attemptOnce, type AttemptOptions } from './attempt-once.ts'
export { OpenLoop, type GivenUp, type OpenLoopOptions } from './open-loop.ts'
export {
  detectionTime,
  findOutages,
  meanTimeToRecovery,
  uniteOutages,
  uptime,
  type MeanTimeToRecovery,
  type OutageRule,
} from './outages.ts'
export { MAX_ATTEMPTS, Recorder, type Selection } from './recorder.ts'
export { baselineBand, findRecovery, STABLE_ATTEMPTS, uniteRecoveries, type Recovery } from './recovery.ts'
export { Tally } from './tally.ts'
