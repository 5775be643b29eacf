// Runs an experiment: its phases one after another, and the way back from wherever it stops.
import { randomBytes, randomInt } from 'node:crypto'
import { systemClock, type Clock } from '../../proxy/clock.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import type { Experiment } from '../file/experiment.ts'
import { formatDuration, formatShare } from '../file/units.ts'
import { baselineBand, findRecovery, Recorder } from '../measure/index.ts'
import type { Attempt, Journal, PhaseName, PhaseRecord, StepRecord, Verdict } from '../model.ts'
import { AbortWatch } from './abort-watch.ts'
import { BlastRadius } from './blast-radius.ts'
import { describeRun, outcomeOf, type Stop } from './journal.ts'
import { MachineMonitor, type MachineSample } from './machine-monitor.ts'
import { planExperiment } from './plan.ts'
import { Probing, type Complaint } from './probing.ts'
import { commonQueue, type RunQueue } from './queue.ts'
import type { RunEvent } from './run-event.ts'
import { Steps } from './steps.ts'
import type { ExperimentTarget, Holding } from './target.ts'
import { validate } from './validation.ts'
import { watched, type Findings, judgeRun } from './verdicts.ts'
import { waitFor } from './waiting.ts'

export type { RunEvent }

export interface RunOptions {
  /** Aborts the run, e.g. by SIGINT: everything is reverted, and the journal says why. */
  readonly signal?: AbortSignal
  /** Lets an experiment in production act. Default false. */
  readonly allowProduction?: boolean
  readonly onEvent?: (event: RunEvent) => void
  /** Default: the one of this process, for 3 at a time. */
  readonly queue?: RunQueue
  readonly clock?: Clock
}

export interface RunResult {
  readonly journal: Journal
  /** Mistakes that came out before anything acted, with the fields of the experiment's file. */
  readonly errors: readonly FaultlineError[]
}

/**
 * Runs an experiment. Whatever happens, nothing of it is left when this resolves, or the outcome says so.
 *
 * @example
 * await using target = new ServerTarget({ url: 'http://localhost:8474' })
 * const { journal } = await runExperiment(await loadExperiment('checkout.yaml'), target)
 * @throws RefusedError if it may not run; then nothing has acted
 */
export async function runExperiment(
  experiment: Experiment,
  target: ExperimentTarget,
  options: RunOptions = {},
): Promise<RunResult> {
  const { queue = commonQueue, signal = new AbortController().signal, onEvent } = options
  onEvent?.({ kind: 'queued' })
  return queue.run(async () => {
    const { allowProduction = false } = options
    await planExperiment(experiment, target, { allowProduction })
    return await new Run(experiment, target, options).execute()
  }, signal)
}

/** So long everything is undone step by step, before it is by ending the lease. */
const UNDO_MS = 300

class Run {
  readonly #experiment: Experiment
  readonly #target: ExperimentTarget
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #originMs: number
  readonly #startedAt: string
  readonly #id = randomBytes(4).toString('hex')
  readonly #seed: number
  readonly #recorder = new Recorder()
  readonly #probing: Probing
  readonly #watch: AbortWatch
  readonly #abort = new AbortController()
  readonly #phases: PhaseRecord[] = []
  readonly #checks: StepRecord[] = []
  readonly #machine: MachineSample[] = []
  readonly #verdicts: Verdict[] = []
  readonly #errors: FaultlineError[] = []
  readonly #listeners = new Set<(attempt: Attempt) => void>()
  #phase: { readonly name: PhaseName; readonly fromMs: number } | undefined
  #steps: Steps | undefined
  #holding: Holding | undefined
  #stop: Stop | undefined
  #reverted: Promise<readonly Error[]> | undefined
  #removedMs: number | null = null

  constructor(experiment: Experiment, target: ExperimentTarget, options: RunOptions) {
    const { clock = systemClock } = options
    this.#experiment = experiment
    this.#target = target
    this.#options = options
    this.#clock = clock
    this.#originMs = clock.now()
    this.#startedAt = new Date(clock.wallTimeMs()).toISOString()
    this.#seed = experiment.seed ?? randomInt(2 ** 31)
    this.#watch = new AbortWatch(experiment.safety.abortWhen, (reason) => this.#end({ outcome: 'aborted', reason }))
    this.#probing = new Probing(experiment.steadyStates, {
      clock,
      originMs: this.#originMs,
      onAttempt: (attempt) => this.#attempted(attempt),
    })
  }

  async execute(): Promise<RunResult> {
    const { signal } = this.#options
    const { maxDurationMs } = this.#experiment.safety
    const interrupt = (): void => this.#end({ outcome: 'aborted', reason: describeReason(signal?.reason) })
    signal?.addEventListener('abort', interrupt)
    if (signal?.aborted === true) interrupt()
    const limit = this.#clock.setTimer(() => {
      const reason = `it took longer than ${formatDuration(maxDurationMs)}, safety.maxDuration`
      this.#end({ outcome: 'aborted', reason })
    }, maxDurationMs)
    const monitor = new MachineMonitor({ now: () => this.#now(), onSample: (sample) => this.#sampled(sample) })
    try {
      await this.#runPhases()
    } catch (error) {
      this.#end({ outcome: 'error', reason: describeReason(error) })
    } finally {
      this.#clock.clearTimer(limit)
      signal?.removeEventListener('abort', interrupt)
      monitor.stop()
      await this.#probing.close()
    }
    const left = await this.#revert()
    return { journal: this.#journal(left), errors: this.#errors }
  }

  // ---- phases ----------------------------------------------------------------------------------------------------

  async #runPhases(): Promise<void> {
    const { preparation, baseline, stress, failure, recovery, validation } = this.#experiment
    const { signal } = this.#abort
    this.#enter('preparation', preparation.atMostMs)
    const steps = await this.#prepare()
    this.#enter('baseline', baseline.forMs)
    await waitFor(this.#clock, baseline.forMs, signal)
    this.#checkBaseline()
    if (stress) {
      this.#enter('stress', stress.forMs)
      await steps.run([stress.step], 'stress', signal)
    }
    this.#enter('failure', failure.forMs)
    await steps.run(failure.steps, 'failure', signal)
    await waitFor(this.#clock, this.#failureMs() + failure.forMs - this.#now(), signal)
    const removedMs = lastUndoneMs(steps.records) ?? this.#now()
    this.#removedMs = removedMs
    this.#enter('recovery', recovery.atMostMs)
    await this.#recover(removedMs)
    this.#enter('validation', validation.steps.includes('performance_baseline_check') ? validation.forMs : 0)
    const { clock, ...parts } = { ...this.#shared(), experiment: this.#experiment, recorder: this.#recorder }
    const onStep = (step: StepRecord): void => {
      this.#checks.push(step)
      this.#tell({ kind: 'step', step })
    }
    this.#verdicts.push(...(await validate({ ...parts, clock, probing: this.#probing, onStep }, signal)))
    this.#enter('analysis', 0)
    await this.#probing.finish()
  }

  async #prepare(): Promise<Steps> {
    const { signal } = this.#abort
    const { preparation, safety } = this.#experiment
    const holding = await this.#target.hold((error) => this.#end({ outcome: 'error', reason: error.message }))
    this.#holding = holding
    if (signal.aborted) await holding.release()
    signal.throwIfAborted()
    this.#steps = new Steps({
      ...this.#shared(),
      prefix: `experiment-${this.#id}`,
      target: this.#target,
      holding,
      radius: new BlastRadius(safety),
      onStep: (step) => this.#tell({ kind: 'step', step: { ...step } }),
    })
    const complaints = await this.#probing.untilGood(preparation.atMostMs, signal)
    signal.throwIfAborted()
    this.#refuse(complaints, (reason) => `a probe that is good before anything acts, got ${reason}`)
    return this.#steps
  }

  /** What is not steady before anything acts tells nothing afterwards. */
  #checkBaseline(): void {
    const { availability } = this.#experiment.slo
    const complaints = this.#experiment.steadyStates.flatMap((state): Complaint[] => {
      const { attempts, good } = this.#recorder.figures({ probes: [state.name], phases: ['baseline'] })
      if (attempts === 0 || good / attempts >= availability) return []
      return [{ state, reason: `${good} of ${attempts} good in the baseline` }]
    })
    this.#refuse(
      complaints,
      (reason) => `a steady state, with at least ${formatShare(availability)} good, got ${reason}`,
    )
  }

  #refuse(complaints: readonly Complaint[], describe: (reason: string) => string): void {
    if (complaints.length === 0) return
    for (const { state, reason } of complaints) {
      const field = `steadyState.${this.#experiment.steadyStates.indexOf(state)}`
      const expected = describe(reason)
      const message = `${field} (${state.name}): expected ${expected}`
      this.#errors.push(new FaultlineError('invalid_value', message, { field, expected }))
    }
    throw new Error(this.#errors.map(({ message }) => message).join('; '))
  }

  /** Until all probes are good again and as fast as before, or until it has taken as long as it may. */
  async #recover(removedMs: number): Promise<void> {
    const { atMostMs, consecutive } = this.#experiment.recovery
    const since = new Map(
      watched(this.#experiment)
        .filter(({ phases }) => phases.includes('recovery'))
        .map(({ name }) => {
          const baseline = this.#recorder.attempts({ probes: [name], phases: ['baseline'] })
          const attempts = this.#recorder
            .attempts({ probes: [name] })
            .filter(({ intendedMs }) => intendedMs >= removedMs)
          return [name, { bandMs: baselineBand(baseline, consecutive), attempts }]
        }),
    )
    const isRecovered = (): boolean =>
      [...since.values()].every(({ bandMs, attempts }) => {
        const inOrder = attempts.toSorted((a, b) => a.intendedMs - b.intendedMs)
        return findRecovery(inOrder, removedMs, bandMs, consecutive).stableMs !== null
      })
    if (isRecovered()) return
    const recovered = new AbortController()
    const listener = (attempt: Attempt): void => {
      since.get(attempt.probe)?.attempts.push(attempt)
      if (isRecovered()) recovered.abort()
    }
    this.#listeners.add(listener)
    try {
      await waitFor(this.#clock, atMostMs, AbortSignal.any([recovered.signal, this.#abort.signal]))
    } catch (error) {
      if (!recovered.signal.aborted) throw error
    } finally {
      this.#listeners.delete(listener)
    }
  }

  #enter(name: PhaseName, expectedMs: number): void {
    this.#abort.signal.throwIfAborted()
    this.#leave()
    const fromMs = this.#now()
    this.#phase = { name, fromMs }
    this.#probing.enter(name)
    this.#tell({ kind: 'phase', phase: name, atMs: fromMs, expectedMs })
  }

  #leave(): void {
    if (this.#phase) this.#phases.push({ ...this.#phase, untilMs: this.#now() })
    this.#phase = undefined
  }

  // ---- the way back ----------------------------------------------------------------------------------------------

  /** Ends it before its time: reverts at once, not when all that waits has noticed. */
  #end(stop: Stop): void {
    if (this.#stop) return
    this.#stop = stop
    this.#tell({ kind: 'stopping', atMs: this.#now(), reason: stop.reason })
    this.#abort.abort(new Error(stop.reason))
    void this.#revert()
  }

  /** @returns what could not be undone */
  #revert(): Promise<readonly Error[]> {
    return (this.#reverted ??= this.#revertOnce())
  }

  async #revertOnce(): Promise<readonly Error[]> {
    const undoing = this.#steps?.undoAll() ?? Promise.resolve([])
    // One call ends all that is held, should single ones take long.
    await Promise.race([undoing, waitFor(this.#clock, UNDO_MS, new AbortController().signal)])
    const released = await this.#holding?.release().catch((error: unknown) => error as Error)
    let left = await undoing
    if (left.length > 0) left = (await this.#steps?.undoAll()) ?? []
    this.#removedMs ??= this.#now()
    this.#tell({ kind: 'reverted', atMs: this.#now() })
    return left.length > 0 && released ? [...left, released] : left
  }

  // ---- what happens ----------------------------------------------------------------------------------------------

  #attempted(attempt: Attempt): void {
    this.#recorder.record(attempt)
    this.#tell({ kind: 'attempt', attempt })
    for (const listener of this.#listeners) listener(attempt)
    this.#watch.attempted(attempt)
  }

  #sampled(sample: MachineSample): void {
    this.#machine.push(sample)
    this.#tell({ kind: 'machine', sample })
    this.#watch.sampled(sample)
  }

  #tell(event: RunEvent): void {
    this.#options.onEvent?.(event)
  }

  #now(): number {
    return this.#clock.now() - this.#originMs
  }

  #shared(): { readonly clock: Clock; readonly now: () => number } {
    return { clock: this.#clock, now: () => this.#now() }
  }

  // ---- the journal -----------------------------------------------------------------------------------------------

  #failureMs(): number {
    const phases = [...this.#phases, ...(this.#phase ? [{ ...this.#phase, untilMs: this.#now() }] : [])]
    return phases.find(({ name }) => name === 'failure')?.fromMs ?? 0
  }

  #journal(left: readonly Error[]): Journal {
    this.#leave()
    const steps = [...(this.#steps?.records ?? [])]
    const first = steps.find(({ phase, kind }) => phase === 'failure' && kind !== 'load')
    const findings = first && this.#judge(first.appliedMs)
    const verdicts = [...(findings?.verdicts ?? []), ...this.#verdicts]
    const { outcome, reason } = outcomeOf(this.#stop, left, verdicts)
    return describeRun({
      experiment: this.#experiment,
      id: this.#id,
      seed: this.#seed,
      startedAt: this.#startedAt,
      durationMs: this.#now(),
      outcome,
      reason,
      phases: this.#phases,
      steps: [...steps, ...this.#checks],
      recorder: this.#recorder,
      analysis: findings?.analysis,
      verdicts,
      injections: this.#steps?.injections ?? {},
      machine: this.#machine,
    })
  }

  #judge(appliedMs: number): Findings {
    return judgeRun({
      experiment: this.#experiment,
      recorder: this.#recorder,
      seed: this.#seed,
      appliedMs,
      removedMs: this.#removedMs,
      untilMs: this.#now(),
      failureMs: this.#failureMs(),
    })
  }
}

/** When the last of what disturbs was gone. */
function lastUndoneMs(records: readonly StepRecord[]): number | undefined {
  const ends = records.flatMap(({ phase, kind, undoneMs }) =>
    phase === 'failure' && kind !== 'load' ? (undoneMs ?? []) : [],
  )
  return ends.length === 0 ? undefined : Math.max(...ends)
}

function describeReason(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}
