// Hints: what may have made an SLO fail, and what to try next. A rule speaks up only if the data supports it.
import type { Facts } from './facts.ts'
import type { Topic } from '../slo.ts'

export interface Hint {
  /** The rule's name. */
  readonly rule: string
  /** SLOs it is about; empty: the run as a whole. */
  readonly slos: readonly string[]
  readonly cause: string
  readonly evidence: readonly string[]
  readonly next: readonly string[]
}

export interface HintRule {
  /** Stable, e.g. `never-recovered`. */
  readonly name: string
  /** It explains failed SLOs of these. `run`: it is about the whole, whatever failed. */
  readonly about: readonly Topic[] | 'run'
  /** What is likely, in a sentence. */
  readonly cause: string
  /** What to do and which experiment to run. */
  readonly next: readonly string[]
  /** What in the data supports it; none if nothing does. */
  evidence(facts: Facts): readonly string[]
}
