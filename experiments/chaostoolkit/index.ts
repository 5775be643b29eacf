// Experiments of Chaos Toolkit run unmodified: reading, running, the journal.
export type { DryRun } from './activity.ts'
export type { ChaosExperiment, HypothesisStrategy, RollbackStrategy } from './document.ts'
export { exitCodeOf, type ActivityRun, type ChaosJournal, type ChaosStatus, type SteadyState } from './journal.ts'
export { readChaosToolkit, readChaosToolkitFile, type ReadOptions } from './read.ts'
export { runChaosToolkit, type RunOptions } from './run.ts'
export { toxiproxyUrlOf, type ChaosTarget } from './target.ts'
