// Runs an experiment: its phases one after another, and the way back from wherever it stops.
import { randomBytes, randomInt } from 'node:crypto'
import { systemClock, type Clock } from '../../proxy/clock.ts'
import type { FaultlineError } from '../../proxy/errors.ts'
import type { Experiment, Webhook } from '../file/experiment.ts'
import { formatDuration } from '../file/units.ts'
import { Recorder } from '../measure/index.ts'
import type { Attempt, Journal, PhaseName, PhaseRecord, StepRecord, Verdict } from '../model.ts'
import { AbortWatch } from './abort-watch.ts'
import { BlastRadius } from './blast-radius.ts'
import { describeRun, outcomeOf, type Stop } from './journal.ts'
import { MachineMonitor, type MachineSample } from './machine-monitor.ts'
import { MetricMonitor, type MetricSample } from './metric-monitor.ts'
import { Notifier } from './notifier.ts'
import { planExperiment } from './plan.ts'
import { Probing } from './probing.ts'
import { waitForRecovery } from './recovering.ts'
import type { RunEvent } from './run-event.ts'
import { refusedBaseline, refusedMetrics, refusedProbes } from './steadiness.ts'
import { Steps } from './steps.ts'
import type { ExperimentTarget, Holding } from './target.ts'
import { validate } from './validation.ts'
import { type Findings, judgeRun } from './verdicts.ts'
import { inTime, waitFor } from './waiting.ts'

export type { RunEvent }

export interface RunOptions {
  /** Aborts the run, e.g. by SIGINT: everything is reverted, and the journal says why. */
  readonly signal?: AbortSignal
  /** Lets an experiment in production act. Default false. */
  readonly allowProduction?: boolean
  readonly onEvent?: (event: RunEvent) => void
  readonly clock?: Clock
  /** Whom to tell beside those of the experiment. */
  readonly notify?: readonly Webhook[]
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
  const { allowProduction = false, signal = new AbortController().signal, onEvent } = options
  signal.throwIfAborted()
  const check = () => planExperiment(experiment, target, { allowProduction })
  await check() // what is refused need not wait, and leaves no trace
  let hasWaited = false
  const holding = await target.hold(signal, (ahead) => {
    hasWaited ||= ahead > 0
    onEvent?.({ kind: 'queued', ahead })
  })
  try {
    if (hasWaited) await check()
    return await new Run(experiment, target, holding, options).execute()
  } catch (error) {
    await holding.release().catch(() => undefined) // it ends by itself
    throw error
  }
}

const ASK_DEADLINE_MS = 200

/** So long everything is undone step by step, before it is by ending the lease. */
const UNDO_MS = 300

class Run {
  readonly #experiment: Experiment
  readonly #target: ExperimentTarget
  readonly #holding: Holding
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #originMs: number
  readonly #startedAt: string
  readonly #id = randomBytes(4).toString('hex')
  readonly #seed: number
  readonly #recorder = new Recorder()
  readonly #probing: Probing
  readonly #metrics: MetricMonitor
  readonly #watch: AbortWatch
  readonly #notifier: Notifier
  readonly #abort = new AbortController()
  readonly #phases: PhaseRecord[] = []
  readonly #checks: StepRecord[] = []
  readonly #machine: MachineSample[] = []
  readonly #verdicts: Verdict[] = []
  readonly #errors: FaultlineError[] = []
  readonly #listeners = new Set<(attempt: Attempt) => void>()
  #phase: { readonly name: PhaseName; readonly fromMs: number } | undefined
  #steps: Steps | undefined
  #stop: Stop | undefined
  #reverted: Promise<readonly Error[]> | undefined
  #removedMs: number | null = null

  /** @param holding released in the end, whatever happens */
  constructor(experiment: Experiment, target: ExperimentTarget, holding: Holding, options: RunOptions) {
    const { clock = systemClock } = options
    this.#experiment = experiment
    this.#target = target
    this.#holding = holding
    this.#options = options
    this.#clock = clock
    this.#originMs = clock.now()
    this.#startedAt = new Date(clock.wallTimeMs()).toISOString()
    this.#seed = experiment.seed ?? randomInt(2 ** 31)
    this.#watch = new AbortWatch(experiment.safety.abortWhen, (reason) => this.#breached(reason))
    const { title, environment } = experiment
    this.#notifier = new Notifier({
      webhooks: [...experiment.notify, ...(options.notify ?? [])],
      run: { title, id: this.#id, environment },
      wallTimeMs: () => clock.wallTimeMs(),
      onRecord: (record) => this.#tell({ kind: 'notification', record }),
    })
    this.#probing = new Probing(experiment.steadyStates, {
      clock,
      originMs: this.#originMs,
      onAttempt: (attempt) => this.#attempted(attempt),
    })
    this.#metrics = new MetricMonitor(experiment.metrics, {
      clock,
      originMs: this.#originMs,
      phase: () => this.#phase?.name ?? 'preparation',
      onSample: (sample) => this.#measured(sample),
    })
  }

  async execute(): Promise<RunResult> {
    const { signal } = this.#options
    const { maxDurationMs } = this.#experiment.safety
    const interrupt = (): void => this.#end({ outcome: 'aborted', reason: describeReason(signal?.reason) })
    signal?.addEventListener('abort', interrupt)
    if (signal?.aborted === true) interrupt()
    const { lost } = this.#holding
    const giveUp = (): void => void this.#giveUp()
    lost.addEventListener('abort', giveUp)
    if (lost.aborted) giveUp()
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
      lost.removeEventListener('abort', giveUp)
      monitor.stop()
      await Promise.all([this.#probing.close(), this.#metrics.stop()])
    }
    const left = await this.#revert()
    await this.#steps?.completed()
    const { cutShort = [] } = this.#steps ?? {}
    // What did not act as long as it should have tells nothing of how it is borne.
    if (cutShort.length > 0) this.#stop ??= { outcome: 'error', reason: cutShort.join('; ') }
    const journal = this.#journal(left)
    this.#tell({ kind: 'finished', atMs: journal.durationMs, journal })
    const notifications = await this.#notifier.settle(signal?.aborted === true)
    return { journal: { ...journal, ...(notifications.length > 0 && { notifications }) }, errors: this.#errors }
  }

  // ---- phases ----------------------------------------------------------------------------------------------------

  async #runPhases(): Promise<void> {
    const { preparation, baseline, stress, failure } = this.#experiment
    const { signal } = this.#abort
    this.#enter('preparation', preparation.atMostMs)
    const steps = await this.#prepare()
    this.#enter('baseline', baseline.forMs)
    await waitFor(this.#clock, baseline.forMs, signal)
    this.#refuse(refusedBaseline(this.#experiment, this.#recorder))
    if (stress) {
      this.#enter('stress', stress.forMs)
      await steps.run([stress.step], 'stress', signal)
    }
    this.#enter('failure', failure.forMs)
    await steps.run(failure.steps, 'failure', signal)
    await waitFor(this.#clock, this.#failureMs() + failure.forMs - this.#now(), signal)
    // What stays is nothing to recover from, and all can't be well.
    if (this.#kept().length === 0) await this.#recoverAndValidate(steps)
    this.#enter('analysis', 0)
    await this.#probing.finish()
  }

  async #recoverAndValidate(steps: Steps): Promise<void> {
    const { recovery, validation } = this.#experiment
    const { signal } = this.#abort
    const removedMs = lastUndoneMs(steps.records) ?? this.#now()
    this.#removedMs = removedMs
    this.#enter('recovery', recovery.atMostMs)
    await waitForRecovery({ ...this.#shared(), ...this.#parts(), listeners: this.#listeners }, removedMs, signal)
    this.#enter('validation', validation.steps.includes('performance_baseline_check') ? validation.forMs : 0)
    const { clock, ...parts } = { ...this.#shared(), ...this.#parts() }
    const onStep = (step: StepRecord): void => {
      this.#checks.push(step)
      this.#tell({ kind: 'step', step })
    }
    this.#verdicts.push(...(await validate({ ...parts, clock, probing: this.#probing, onStep }, signal)))
  }

  /** What was left as it is. */
  #kept(): readonly StepRecord[] {
    return this.#steps?.records.filter(({ keptUntilMs }) => keptUntilMs !== undefined) ?? []
  }

  async #prepare(): Promise<Steps> {
    const { signal } = this.#abort
    const { preparation, failure, safety } = this.#experiment
    this.#steps = new Steps({
      ...this.#shared(),
      prefix: `experiment-${this.#id}`,
      target: this.#target,
      holding: this.#holding,
      radius: new BlastRadius(safety),
      keep: safety.keepForMs === undefined ? undefined : { fromMs: failure.forMs, forMs: safety.keepForMs },
      onStep: (step) => this.#tell({ kind: 'step', step: { ...step } }),
    })
    const complaints = await this.#probing.untilGood(preparation.atMostMs, signal)
    signal.throwIfAborted()
    const leftMs = preparation.atMostMs - (this.#now() - (this.#phase?.fromMs ?? 0))
    const unknown = await this.#metrics.untilKnown(leftMs, signal)
    this.#refuse([...refusedProbes(this.#experiment, complaints), ...refusedMetrics(this.#experiment, unknown)])
    return this.#steps
  }

  /** @throws if there are any */
  #refuse(errors: readonly FaultlineError[]): void {
    this.#errors.push(...errors)
    if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('; '))
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

  async #giveUp(): Promise<void> {
    // Nothing acts any more; a target that does not answer must not hold the end up.
    const isStopped = await inTime(this.#clock, ASK_DEADLINE_MS, this.#target.isStopped())
    if (isStopped === true) this.#end({ outcome: 'aborted', reason: 'stopped by the emergency stop' })
    else this.#end({ outcome: 'error', reason: describeReason(this.#holding.lost.reason) })
  }

  #breached(reason: string): void {
    if (!this.#stop) this.#tell({ kind: 'breached', atMs: this.#now(), reason })
    this.#end({ outcome: 'aborted', reason })
  }

  /** @returns what could not be undone */
  #revert(): Promise<readonly Error[]> {
    return (this.#reverted ??= this.#revertOnce())
  }

  async #revertOnce(): Promise<readonly Error[]> {
    const undoing = this.#steps?.undoAll() ?? Promise.resolve([])
    // One call ends all that is held, should single ones take long.
    await Promise.race([undoing, waitFor(this.#clock, UNDO_MS, new AbortController().signal)])
    const released = await this.#holding.release().catch((error: unknown) => error as Error)
    let left = await undoing
    if (left.length > 0) left = (await this.#steps?.undoAll()) ?? []
    const kept = this.#kept()
    if (kept.length === 0) this.#removedMs ??= this.#now()
    this.#tell({ kind: 'reverted', atMs: this.#now(), kept })
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

  #measured(sample: MetricSample): void {
    this.#tell({ kind: 'metric', sample })
    this.#watch.measured(sample)
  }

  #tell(event: RunEvent): void {
    this.#options.onEvent?.(event)
    this.#notifier.heard(event)
  }

  #now(): number {
    return this.#clock.now() - this.#originMs
  }

  #shared(): { readonly clock: Clock; readonly now: () => number } {
    return { clock: this.#clock, now: () => this.#now() }
  }

  #parts(): { readonly experiment: Experiment; readonly recorder: Recorder } {
    return { experiment: this.#experiment, recorder: this.#recorder }
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
      metrics: this.#metrics.records,
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
