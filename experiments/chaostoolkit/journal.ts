// The journal of a run, with the original's names of fields, and what it means to a shell.
import { arch, hostname, release, type } from 'node:os'
import { isObject, type Fields } from '../../admin/config/mistakes.ts'
import { version } from '../../proxy/version.ts'
import type { ChaosExperiment } from './document.ts'

/** `completed` says nothing of the steady state. `failed`: it could not be judged, or did not hold before the method. */
export type ChaosStatus = 'completed' | 'failed' | 'aborted' | 'interrupted'

export interface ChaosJournal {
  /** Who wrote it, as there is no chaoslib. */
  readonly 'chaoslib-version': string
  readonly platform: string
  readonly node: string
  /** As the file has it, but for secrets, which are `***`. */
  readonly experiment: Fields
  /** ISO 8601, UTC. */
  readonly start: string
  readonly end: string
  /** In seconds. */
  readonly duration: number
  readonly status: ChaosStatus
  /** The steady state did not hold after the method; unless compatible, also if it did not all through it. */
  readonly deviated: boolean
  readonly steady_states: {
    readonly before: SteadyState | null
    readonly after: SteadyState | null
    readonly during: readonly SteadyState[]
  }
  readonly run: readonly ActivityRun[]
  readonly rollbacks: readonly ActivityRun[]
  /** What the original has no field for. */
  readonly faultline: {
    readonly version: string
    readonly compat: 'chaostoolkit' | null
    /** What one should know before believing the result. */
    readonly notes: readonly string[]
    /** What the run has done to proxies and nobody has taken back. */
    readonly left: readonly string[]
    /** What was taken back although the file did not say so, as the run did not complete. */
    readonly reverted: readonly string[]
  }
}

export interface SteadyState {
  /** Null: it was interrupted. */
  readonly steady_state_met: boolean | null
  /** Up to the first that did not hold. */
  readonly probes: readonly ActivityRun[]
}

export interface ActivityRun {
  /** As the file has it. */
  readonly activity: Fields
  readonly output: unknown
  /** Whether it could be done; what came of it is another matter. */
  readonly status: 'succeeded' | 'failed'
  readonly start: string
  readonly end: string
  /** In seconds. */
  readonly duration: number
  /** Why it failed. */
  readonly exception?: readonly string[]
  /** Of a probe of the hypothesis. */
  readonly tolerance_met?: boolean
}

/** 0 only if the run completed and the steady state did not deviate; else 1, as for an experiment that can't be read. */
export function exitCodeOf({ status, deviated }: Pick<ChaosJournal, 'status' | 'deviated'>): 0 | 1 {
  return status === 'completed' && !deviated ? 0 : 1
}

/** What is known before the run. */
export function beginJournal({
  document,
}: ChaosExperiment): Pick<ChaosJournal, 'chaoslib-version' | 'platform' | 'node' | 'experiment'> {
  const { secrets } = document
  return {
    'chaoslib-version': `faultline ${version}`,
    platform: `${type()}-${release()}-${arch()}`,
    node: hostname(),
    experiment: { ...document, ...(secrets !== undefined && { secrets: hideSecrets(secrets) }) },
  }
}

/** Where they come from may be known. */
function hideSecrets(secrets: unknown): unknown {
  if (!isObject(secrets)) return '***'
  if (secrets['type'] === 'env') return secrets
  return Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, hideSecrets(value)]))
}
