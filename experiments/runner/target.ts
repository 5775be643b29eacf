// What an experiment acts on: a Faultline server, or a network in this process. Whatever it does there is held by a lease,
// so that it ends soon after this process has.
import type { FaultChange, FaultSpec, ProtocolName } from '../../proxy/index.ts'
import type { PartitionSpec } from '../../proxy/partition.ts'
import type { Figures, StressorEnd, StressorSpec } from '../../resource-stressors/index.ts'

/** A proxy as far as an experiment needs to know it. */
export interface KnownProxy {
  readonly name: string
  readonly protocol: ProtocolName
  readonly enabled: boolean
  readonly from?: string
  readonly to?: string
}

/** What a stressor would do. */
export interface PlannedStressor {
  readonly requested: Figures
  /** E.g. that a number was capped, as sentences. */
  readonly notes: readonly string[]
}

/** What a stressor was to reach in the end, and what it has, by its last report. */
export interface StressorFigures {
  readonly requested: Figures
  readonly achieved: Figures
  /** What should be known of these, e.g. that they were capped, as sentences. */
  readonly notes: readonly string[]
  /** Why it has ended; null: it goes on. */
  readonly reason: StressorEnd | null
}

export interface ExperimentTarget {
  /** For people, e.g. the URL of a server. */
  readonly name: string
  /** @throws if it does not answer */
  proxies(): Promise<readonly KnownProxy[]>
  /** Whether the emergency stop is on. @throws if it does not answer */
  isStopped(): Promise<boolean>
  /** What a stressor would do; nothing is done. @throws if it would be refused */
  planStressor(spec: StressorSpec): Promise<PlannedStressor>
  /**
   * Begins to hold, once it is the turn of this experiment: a few at a time may act on a target.
   *
   * @param onAhead told how many have to end before, first and whenever that changes; 0 at last
   * @throws the signal's reason if it aborts meanwhile
   */
  hold(signal: AbortSignal, onAhead: (ahead: number) => void): Promise<Holding>
}

/** What is not held outlives the experiment: until its own time is over, or somebody ends it. */
export interface Held {
  readonly name: string
  /** Default true. */
  readonly isHeld?: boolean
}

/** What an experiment has on a target. Names are unique there. What is to end and is not there any more has ended. */
export interface Holding {
  /** Aborts when what was held has ended, or will, and nobody here wanted that; its reason is an Error. */
  readonly lost: AbortSignal
  addFault(proxy: string, spec: FaultSpec & Held): Promise<void>
  changeFault(proxy: string, name: string, change: FaultChange): Promise<void>
  /** @returns false: it was not there any more */
  removeFault(proxy: string, name: string): Promise<boolean>
  /** How often a fault, or those of a partition, has acted; undefined: it is gone. */
  injections(of: { readonly proxy: string; readonly fault: string }): Promise<number | undefined>
  hasPartition(name: string): Promise<boolean>
  addPartition(spec: PartitionSpec & Held): Promise<void>
  /** @returns false: it was not there any more */
  healPartition(name: string): Promise<boolean>
  /** Resolves when it acts. */
  startStressor(spec: StressorSpec & { readonly name: string }): Promise<void>
  /** Resolves when it is gone. @returns false: it was, before */
  stopStressor(name: string): Promise<boolean>
  /** Also of one that has ended; undefined: nobody knows it any more. */
  stressorFigures(name: string): Promise<StressorFigures | undefined>
  /** Ends all of it at once. Nothing can be added any more. */
  release(): Promise<void>
}

/** After so many milliseconds without a sign of this process, what it holds ends. */
export const DEFAULT_LEASE_MS = 5000
