// A Chaos Toolkit experiment as it was read: checked, with its references resolved, its `${…}` still in place.
import type { Fields } from '../../admin/config/mistakes.ts'
import type { Values } from './values.ts'

export interface ChaosExperiment {
  /** Its name, for messages. */
  readonly file: string
  /** What the file says, as it says it. */
  readonly document: Fields
  readonly title: string
  /** Undefined: there are no probes, so nothing is judged. */
  readonly hypothesis: Hypothesis | undefined
  readonly method: readonly Activity[]
  readonly rollbacks: readonly Activity[]
  /** What the file itself wants of the run, in `runtime`. */
  readonly runtime: { readonly hypothesis?: HypothesisStrategy; readonly rollbacks?: RollbackStrategy }
  readonly values: Values
  /** What is ignored, and what may not do what was meant. */
  readonly warnings: readonly string[]
}

export interface Hypothesis {
  readonly title: string
  readonly probes: readonly HypothesisProbe[]
}

export interface HypothesisProbe extends Activity {
  readonly tolerance: Tolerance
}

export interface Activity {
  readonly type: 'probe' | 'action'
  readonly name: string
  readonly provider: Provider
  /** The next activity does not wait for it. */
  readonly background: boolean
  /** In seconds, or the `${…}` of a number. */
  readonly pauses: { readonly before?: number | string; readonly after?: number | string }
  /** As the file has it; of a reference, what it refers to. */
  readonly source: Fields
}

export const providerTypes = ['http', 'process', 'python'] as const

export type ProviderType = (typeof providerTypes)[number]

/** As the file has it. */
export type Provider = Fields & { readonly type: ProviderType }

/** As the file has it. A list of two is a range, unless the value has a status. */
export type Tolerance = boolean | number | string | readonly unknown[] | ToleranceObject

/** `target` is the field of the probe's output that is looked at. */
export type ToleranceObject =
  | { readonly type: 'regex'; readonly pattern: string; readonly target?: string }
  | {
      readonly type: 'jsonpath'
      readonly path: string
      readonly target?: string
      /** How many values there have to be. */
      readonly count?: number
      /** What they have to be; one that is no list stands for a list of it. */
      readonly expect?: unknown
    }
  | { readonly type: 'range'; readonly range: readonly [number, number]; readonly target?: string }
  | { readonly type: 'probe'; readonly provider: Provider }

/** When the steady state is judged. `continuously` is before, during and after the method. */
export const hypothesisStrategies = [
  'default',
  'before-method-only',
  'after-method-only',
  'during-method-only',
  'continuously',
] as const

export type HypothesisStrategy = (typeof hypothesisStrategies)[number]

export const rollbackStrategies = ['default', 'always', 'never', 'deviated'] as const

export type RollbackStrategy = (typeof rollbackStrategies)[number]
