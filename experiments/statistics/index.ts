// Statistics: intervals, comparisons, and verdicts that may be neither pass nor fail.
export {
  estimateDifference,
  estimateQuantile,
  minimalValues,
  type BootstrapOptions,
  type Estimate,
} from './bootstrap.ts'
export { judgeDegradation, judgeLatency, type DegradationOptions, type LatencyOptions } from './latencies.ts'
export { mannWhitney, type Magnitude, type MannWhitney } from './mann-whitney.ts'
export { judgeMttr, judgeRecoveryTime, type RecoveryTimeOptions } from './recoveries.ts'
export { judgeAvailability, judgeErrorRate, type AttemptCounts } from './shares.ts'
export { compare, duration, percent, type Allowed } from './verdict.ts'
export { wilsonInterval, type Interval } from './wilson.ts'
