// Runs an experiment as Chaos Toolkit does (chaoslib/run.py): the steady state before, the method, the steady state after,
// the rollbacks; and writes its journal.
import { systemClock, type Clock } from '../../proxy/clock.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { version } from '../../proxy/version.ts'
import { runActivity, toText, wait, type DryRun } from './activity.ts'
import type { Activity, ChaosExperiment, HypothesisStrategy, RollbackStrategy } from './document.ts'
import { isUnknown, judge, type HypothesisContext } from './hypothesis.ts'
import { beginJournal, type ActivityRun, type ChaosJournal, type ChaosStatus, type SteadyState } from './journal.ts'
import { controlOf, type ChaosTarget } from './target.ts'
import { UndoList } from './undo.ts'

export interface RunOptions {
  /**
   * Whose proxies the functions of the toxiproxy extension act on, whatever `toxiproxy_host` says, which
   * `toxiproxyUrlOf` reads.
   */
  readonly target?: ChaosTarget
  /** As it was read with. Default false. */
  readonly allowShell?: boolean
  /**
   * `chaostoolkit`: what surprises in the original is kept. A steady state that does not hold before the method, and one
   * that fails during the method and recovers, are no failures; rollbacks are not played by default after an interruption
   * or a failure; whatever a tolerance's own probe answers is a yes. Default: strict.
   */
  readonly compat?: 'chaostoolkit'
  /** Interrupts the run: what is under way is given up, and rollbacks are played as their strategy has it. */
  readonly signal?: AbortSignal
  readonly strategy?: {
    /** When the steady state is judged. Default: the file's, or before and after the method. */
    readonly hypothesis?: HypothesisStrategy
    /** When rollbacks are played. Default: the file's, or if the method has begun. */
    readonly rollbacks?: RollbackStrategy
    /** Between two judgements during the method. Default 1. */
    readonly frequencySeconds?: number
    /** Ends the method when the steady state does not hold during it. Default false. */
    readonly failFast?: boolean
  }
  readonly dry?: DryRun
  /** Told what happens, a line at a time. */
  readonly log?: (message: string) => void
  readonly clock?: Clock
}

/**
 * Runs an experiment. What goes wrong with activities is in the journal, and no error.
 *
 * @throws FaultlineError `missing_field` if there are proxies to act on and no target
 */
export async function runChaosToolkit(experiment: ChaosExperiment, options: RunOptions = {}): Promise<ChaosJournal> {
  if (options.target === undefined && options.dry !== 'activities' && usesProxies(experiment)) {
    const expected = 'a server or network, as the experiment acts on proxies'
    throw new FaultlineError('missing_field', `target: missing, expected ${expected}`, { field: 'target', expected })
  }
  return new ChaosRun(experiment, options).run()
}

function usesProxies({ hypothesis, method, rollbacks }: ChaosExperiment): boolean {
  const all: readonly Activity[] = [...(hypothesis?.probes ?? []), ...method, ...rollbacks]
  return all.some(({ provider }) => provider.type === 'python')
}

const never = new AbortController().signal

class ChaosRun {
  readonly #experiment: ChaosExperiment
  readonly #context: HypothesisContext
  readonly #signal: AbortSignal
  readonly #options: RunOptions
  readonly #undo = new UndoList()
  readonly #notes: string[] = []
  readonly #steadyStates: { before: SteadyState | null; after: SteadyState | null; during: SteadyState[] } = {
    before: null,
    after: null,
    during: [],
  }
  #status: ChaosStatus | undefined
  #deviated = false
  #methodBegan = false

  constructor(experiment: ChaosExperiment, options: RunOptions) {
    const { target, allowShell = false, compat, signal = never, dry, log = () => {}, clock = systemClock } = options
    this.#experiment = experiment
    this.#options = options
    this.#signal = signal
    this.#context = {
      control: target && controlOf(target),
      undo: this.#undo,
      values: experiment.values.copy(),
      environment: { ...process.env },
      allowShell,
      compat,
      dry,
      log,
      clock,
    }
  }

  async run(): Promise<ChaosJournal> {
    const { clock, compat, log } = this.#context
    const journal = beginJournal(this.#experiment)
    const startMs = clock.wallTimeMs()
    const began = clock.now()
    const run: ActivityRun[] = []
    try {
      await this.#observe(run)
    } catch (error) {
      this.#status = 'aborted'
      this.#note(`an unexpected error ended the method: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (this.#signal.aborted) this.#status = 'interrupted'
    const rollbacks = this.#wantsRollbacks() ? await this.#rollBack() : []
    const reverted = await this.#revert()
    const status = this.#status ?? 'completed'
    for (const { activity, exception } of run.filter(({ status: each }) => each === 'failed')) {
      this.#note(`${String(activity['name'])} of the method failed: ${exception?.join('') ?? ''}`)
    }
    log(`ended with status ${status}${this.#deviated ? ', deviated' : ''}`)
    return {
      ...journal,
      start: toText(startMs),
      status,
      deviated: this.#deviated,
      steady_states: this.#steadyStates,
      run,
      rollbacks,
      end: toText(clock.wallTimeMs()),
      duration: (clock.now() - began) / 1000,
      faultline: {
        version,
        compat: compat ?? null,
        notes: this.#notes,
        left: this.#undo.left,
        reverted,
      },
    }
  }

  /** Hypothesis and method. */
  async #observe(run: ActivityRun[]): Promise<void> {
    const strategy = this.#options.strategy?.hypothesis ?? this.#experiment.runtime.hypothesis ?? 'default'
    const isAround = strategy === 'default' || strategy === 'continuously'
    if (isAround || strategy === 'before-method-only') {
      if (!(await this.#passesGate())) return
    }
    const isThrough = strategy === 'continuously' || strategy === 'during-method-only'
    await this.#play(run, isThrough)
    if (this.#signal.aborted || this.#status === 'aborted') return
    if (isAround || strategy === 'after-method-only') await this.#judgeAfter()
  }

  /** @returns whether the method may begin */
  async #passesGate(): Promise<boolean> {
    const state = await this.#judge()
    this.#steadyStates.before = state
    if (this.#signal.aborted) return false
    if (!state || state.steady_state_met === true) return true
    // The original completes a run whose gate did not hold, unless that could not be found out.
    const isFailed = isUnknown(state) || this.#context.compat === undefined
    this.#status = isFailed ? 'failed' : 'completed'
    this.#note('the steady state did not hold before the method, which was not begun')
    return false
  }

  async #judgeAfter(): Promise<void> {
    const state = await this.#judge()
    this.#steadyStates.after = state
    if (state?.steady_state_met !== false) return
    this.#deviated = true
    if (isUnknown(state)) this.#status = 'failed'
  }

  async #judge(): Promise<SteadyState | null> {
    const { hypothesis } = this.#experiment
    return hypothesis ? judge(hypothesis, this.#context, this.#signal) : null
  }

  // ---- method ------------------------------------------------------------------------------------------------------

  async #play(run: ActivityRun[], isWatched: boolean): Promise<void> {
    this.#methodBegan = true
    const methodEnd = new AbortController()
    const watching = isWatched ? this.#watch(methodEnd.signal) : undefined
    try {
      await this.#runAll(this.#experiment.method, run, this.#signal, () => this.#status === 'failed')
    } finally {
      methodEnd.abort()
      await watching
    }
    const hasDipped = this.#steadyStates.during.some(({ steady_state_met: isMet }) => isMet === false)
    if (hasDipped) this.#note('the steady state did not hold all through the method')
    if (hasDipped && this.#context.compat === undefined) this.#deviated = true
  }

  /** Judges again and again until the method has ended. */
  async #watch(methodEnd: AbortSignal): Promise<void> {
    const { frequencySeconds = 1, failFast = false } = this.#options.strategy ?? {}
    while (!methodEnd.aborted && !this.#signal.aborted) {
      const state = await this.#judge()
      if (!state) return
      this.#steadyStates.during.push(state)
      if (state.steady_state_met === false && failFast) {
        this.#status = 'failed'
        return
      }
      await wait(frequencySeconds * 1000, this.#context.clock, methodEnd)
    }
  }

  /** In their order in the file, also those in the background, which are waited for. */
  async #runAll(
    activities: readonly Activity[],
    runs: ActivityRun[],
    signal: AbortSignal,
    isEnough: () => boolean = () => false,
  ): Promise<void> {
    const begun: Promise<ActivityRun | undefined>[] = []
    for (const activity of activities) {
      if (signal.aborted || isEnough()) break
      const running = runActivity(activity, this.#context, signal)
      begun.push(running)
      if (activity.background) continue
      const [outcome] = await Promise.allSettled([running])
      if (outcome.status === 'rejected') break
    }
    const ended = await Promise.allSettled(begun)
    for (const outcome of ended) if (outcome.status === 'fulfilled' && outcome.value) runs.push(outcome.value)
    const unexpected = ended.find((outcome) => outcome.status === 'rejected')
    if (unexpected) throw unexpected.reason
  }

  // ---- afterwards --------------------------------------------------------------------------------------------------

  #wantsRollbacks(): boolean {
    const strategy = this.#options.strategy?.rollbacks ?? this.#experiment.runtime.rollbacks ?? 'default'
    switch (strategy) {
      case 'always':
        return true
      case 'never':
        return false
      case 'deviated':
        return this.#deviated
      default:
        // Before the method nothing has been done that could be undone.
        return this.#methodBegan && (this.#context.compat === undefined || !this.#isBroken)
    }
  }

  get #isBroken(): boolean {
    return this.#status === 'failed' || this.#status === 'interrupted'
  }

  async #rollBack(): Promise<ActivityRun[]> {
    const runs: ActivityRun[] = []
    // An interruption ends the rollbacks of the original. Here, they are why one can interrupt at all.
    const signal = this.#context.compat !== undefined && !this.#signal.aborted ? this.#signal : never
    await this.#runAll(this.#experiment.rollbacks, runs, signal)
    if (this.#signal.aborted) this.#status = 'interrupted'
    for (const { activity } of runs.filter(({ status }) => status === 'failed')) {
      this.#note(`the rollback ${String(activity['name'])} failed: what it should take back may still be there`)
    }
    return runs
  }

  /** What a run that has not completed has done to proxies, and its rollbacks have left. */
  async #revert(): Promise<readonly string[]> {
    const strategy = this.#options.strategy?.rollbacks ?? this.#experiment.runtime.rollbacks
    const isBroken = this.#isBroken || this.#status === 'aborted'
    if (!isBroken || this.#context.compat !== undefined || strategy === 'never') return []
    return this.#undo.run((what, error) => {
      this.#note(`${what} could not be taken back: ${error instanceof Error ? error.message : String(error)}`)
    })
  }

  #note(text: string): void {
    this.#notes.push(text)
    this.#context.log(text)
  }
}
