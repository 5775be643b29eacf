// The steps of a run: carries them out at their times, and undoes what acts, one by one or all at once.
import type { Clock } from '../../proxy/clock.ts'
import type { Figures, StressorEnd } from '../../resource-stressors/index.ts'
import type { Step } from '../file/experiment.ts'
import type { PhaseName, StepRecord } from '../model.ts'
import { actingOf, timeToLiveMs, type Acting } from './acting.ts'
import type { BlastRadius } from './blast-radius.ts'
import type { ExperimentTarget, Holding } from './target.ts'
import { inTime, waitFor, waitUntil } from './waiting.ts'

/** A fault that grows is changed so often on its way, at most; and at least so long passes between two changes. */
const MAX_CHANGES = 100
const MIN_CHANGE_MS = 200

/** An undoing that failed is tried again, in case it was the network in between. */
const UNDO_ATTEMPTS = 3
const UNDO_PAUSE_MS = 100

const NOT_UNDONE = 'not undone'

/** To ask how often faults have acted, and whether they still do, must not hold their end up. */
const ASK_DEADLINE_MS = 200

/** What stressors reached is asked when they are gone: it holds up nothing but the journal. */
const FIGURES_DEADLINE_MS = 2000

/** How soon it is noticed that somebody has removed what is to act. */
const PRESENCE_CHECK_MS = 1000

const REMOVED = 'somebody has removed it'
const STOPPED = 'by the emergency stop'

/** Ends of stressors that are not those of their steps. */
const unwanted: Readonly<Partial<Record<StressorEnd, string>>> = {
  floor: 'the machine had less left than has to stay free',
  died: 'its process has ended',
  reset: 'everything was put back',
  stop: STOPPED,
}

export interface StepsOptions {
  /** Begins the names of all that acts. */
  readonly prefix: string
  readonly target: ExperimentTarget
  readonly holding: Holding
  readonly radius: BlastRadius
  /** Leaves faults and partitions that act at this time of their phase, or when all is undone, for so long at most. */
  readonly keep?: { readonly fromMs: number; readonly forMs: number } | undefined
  readonly clock: Clock
  /** Milliseconds since the run's begin. */
  readonly now: () => number
  /** A step has begun, ended, or failed. */
  readonly onStep: (record: StepRecord) => void
}

interface Mutable {
  phase: PhaseName
  name: string
  kind: StepRecord['kind']
  appliedMs: number
  undoneMs?: number
  requested?: Figures
  achieved?: Figures
  keptUntilMs?: number
  notes?: readonly string[]
  error?: string
}

/** A step that may have begun to act. */
interface Active {
  readonly step: Step
  readonly record: Mutable
  readonly acting: Acting
  readonly begun: Promise<unknown>
  undoing?: Promise<void>
}

export class Steps {
  readonly #options: StepsOptions
  readonly #active = new Set<Active>()
  readonly #records: Mutable[] = []
  readonly #injections: Record<string, number> = {}
  readonly #asking: Promise<void>[] = []
  readonly #cutShort: string[] = []
  #count = 0
  /** Nothing may begin any more. */
  #isOver = false

  constructor(options: StepsOptions) {
    this.#options = options
  }

  /** As they were carried out, in the order of their begin. */
  get records(): readonly StepRecord[] {
    return this.#records
  }

  /** How often each fault acted, by its step's name. */
  get injections(): Readonly<Record<string, number>> {
    return this.#injections
  }

  /**
   * Carries steps out at their times, counted from now.
   *
   * @throws the first failure of one, or the signal's reason; then steps may still act
   */
  async run(steps: readonly Step[], phase: PhaseName, signal: AbortSignal): Promise<void> {
    const beginMs = this.#options.clock.now()
    const failure = new AbortController()
    const either = AbortSignal.any([signal, failure.signal])
    const runs = steps.map((step) =>
      this.#run(step, phase, beginMs, either).catch((error: unknown) => {
        failure.abort(error)
        throw error
      }),
    )
    // The others end by themselves; what they have begun is undone with all that acts.
    await Promise.all(runs)
  }

  async #run(step: Step, phase: PhaseName, beginMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    await waitUntil(clock, beginMs + step.fromMs, signal)
    const active = await this.#begin(step, phase, signal)
    const { grow } = active.acting
    const rampEndMs = beginMs + step.fromMs + step.rampMs
    if (grow) await this.#grow(active, grow, rampEndMs - step.rampMs, step.rampMs, signal)
    await this.#stay(active, beginMs + step.untilMs, signal)
    if (this.#mayStay(active) && step.untilMs >= (this.#options.keep?.fromMs ?? Infinity)) await this.#leave(active)
    else await this.#undo(active)
  }

  /** @throws if it is removed meanwhile, or the signal's reason */
  async #stay(active: Active, untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const { acting, record, step } = active
    while (acting.isThere && clock.now() + PRESENCE_CHECK_MS < untilMs) {
      await waitUntil(clock, clock.now() + PRESENCE_CHECK_MS, signal)
      if ((await this.#inTime(acting.isThere())) !== false) continue
      signal.throwIfAborted() // then it was removed by ourselves
      await this.#removedByOthers(record)
      throw new Error(`${step.name}: ${record.error}`)
    }
    await waitUntil(clock, untilMs, signal)
  }

  #mayStay({ step, record }: Active): boolean {
    const { kind } = step.action
    return this.#options.keep !== undefined && record.error === undefined && (kind === 'fault' || kind === 'partition')
  }

  /** It acts on, and this has nothing more to do with it. */
  async #leave(active: Active): Promise<void> {
    const { step, record, begun } = active
    await begun.catch(() => undefined)
    if (record.error !== undefined) return this.#undo(active)
    await this.#countInjections(active)
    // If that can't be told now, it is left: its time to live ends it.
    const isThere = await this.#inTime(active.acting.isThere?.() ?? Promise.resolve(true))
    if (isThere === false) await this.#removedByOthers(record)
    else record.keptUntilMs = record.appliedMs + timeToLiveMs(step, this.#options.keep?.forMs)
    this.#active.delete(active)
    this.#options.onStep(record)
  }

  /** Registers what undoes it, and only then lets it act. */
  async #begin(step: Step, phase: PhaseName, signal: AbortSignal): Promise<Active> {
    const { prefix, target, holding, radius, clock, now, onStep, keep } = this.#options
    if (step.action.kind === 'fault' || step.action.kind === 'partition') radius.touch(step, await target.proxies())
    signal.throwIfAborted()
    if (this.#isOver) throw new Error('the run is over')
    const acting = actingOf(step, `${prefix}-${++this.#count}`, { holding, clock, keepForMs: keep?.forMs })
    const record: Mutable = { phase, name: step.name, kind: step.action.kind, appliedMs: now() }
    this.#records.push(record)
    const begun = acting.begin()
    const active: Active = { step, record, acting, begun }
    this.#active.add(active)
    try {
      await begun
    } catch (error) {
      record.error = describe(error)
      onStep(record)
      throw new Error(`${step.name}: ${describe(error)}`, { cause: error })
    }
    record.appliedMs = now()
    onStep(record)
    return active
  }

  async #grow(
    { record }: Active,
    grow: (share: number) => Promise<void>,
    fromMs: number,
    rampMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const changes = Math.max(1, Math.min(MAX_CHANGES, Math.floor(rampMs / MIN_CHANGE_MS)))
    try {
      for (let change = 1; change <= changes; change++) {
        await waitUntil(this.#options.clock, fromMs + (rampMs * change) / changes, signal)
        await grow(change / changes)
      }
    } catch (error) {
      if (!signal.aborted) record.error = describe(error)
      throw error
    }
  }

  /** Resolves when it does not act any more. @throws if that can't be reached */
  #undo(active: Active): Promise<void> {
    return (active.undoing ??= this.#undoOnce(active).catch((error: unknown) => {
      delete active.undoing // it may be tried again
      throw error
    }))
  }

  async #undoOnce(active: Active): Promise<void> {
    const { acting, step, record, begun } = active
    const { now, keep } = this.#options
    await begun.catch(() => undefined) // it may have begun all the same
    await this.#countInjections(active)
    let wasRemoved = false
    for (let attempt = 1; ; attempt++) {
      try {
        const isThere = await acting.end()
        // Unless that was the doing of an attempt before, of the lease's end, or of its own time to live.
        const isInTime = now() < record.appliedMs + timeToLiveMs(step, keep?.forMs)
        wasRemoved = !isThere && attempt === 1 && !this.#isOver && isInTime
        break
      } catch (error) {
        if (attempt < UNDO_ATTEMPTS) {
          await waitFor(this.#options.clock, UNDO_PAUSE_MS, new AbortController().signal)
          continue
        }
        record.error ??= `${NOT_UNDONE}: ${describe(error)}`
        this.#options.onStep(record)
        throw new Error(`${record.name} could not be undone: ${describe(error)}`, { cause: error })
      }
    }
    record.undoneMs = this.#options.now()
    if (record.error?.startsWith(NOT_UNDONE) === true) delete record.error
    this.#active.delete(active)
    if (wasRemoved && !acting.figures) await this.#removedByOthers(record)
    this.#asking.push(this.#askFigures(active, wasRemoved))
    this.#options.onStep(record)
  }

  async #askFigures({ acting, record }: Active, wasRemoved: boolean): Promise<void> {
    if (!acting.figures) return
    const figures = await inTime(this.#options.clock, FIGURES_DEADLINE_MS, acting.figures())
    if (!figures) return
    const { requested, achieved, notes, reason } = figures
    Object.assign(record, { requested, achieved, ...(notes.length > 0 && { notes }) })
    const isRemoved = reason === 'request' && wasRemoved
    const why = reason === null ? undefined : isRemoved ? REMOVED : unwanted[reason]
    if (why === undefined || record.error !== undefined) return
    this.#endedEarly(record, why)
    this.#options.onStep(record)
  }

  async #removedByOthers(record: Mutable): Promise<void> {
    const isStopped = await this.#inTime(this.#options.target.isStopped())
    this.#endedEarly(record, isStopped === true ? STOPPED : REMOVED)
  }

  #endedEarly(record: Mutable, why: string): void {
    record.error = `it ended before its time: ${why}`
    this.#cutShort.push(`${record.name}: ${record.error}`)
  }

  async #countInjections({ acting, record }: Active): Promise<void> {
    const injections = await this.#inTime(acting.injections())
    if (injections !== undefined) {
      this.#injections[record.name] = (this.#injections[record.name] ?? 0) + injections
    }
  }

  /** Undefined if it takes too long, or fails. */
  #inTime<Result>(answer: Promise<Result>): Promise<Result | undefined> {
    return inTime(this.#options.clock, ASK_DEADLINE_MS, answer)
  }

  /** Steps that acted for less than their time, though nobody here has undone them, as sentences. */
  get cutShort(): readonly string[] {
    return this.#cutShort
  }

  /** Resolves when {@link records} and {@link cutShort} have all that can be known of what has ended. */
  async completed(): Promise<void> {
    await Promise.all(this.#asking)
  }

  /**
   * Undoes all that acts, at once, and lets nothing begin any more.
   *
   * @returns what could not be undone
   */
  async undoAll(): Promise<readonly Error[]> {
    this.#isOver = true
    const results = await Promise.allSettled(
      [...this.#active].map((active) => (this.#mayStay(active) ? this.#leave(active) : this.#undo(active))),
    )
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
