// A stressor as whoever started it has it: what was asked for, what it achieves, how it ended.
import type { Clock, TimerHandle } from '../proxy/clock.ts'
import { FaultlineError } from '../proxy/errors.ts'
import type { EndedMessage, FromChild } from './child/messages.ts'
import type { Figures, Plan, StressorDefinition } from './definition.ts'
import type { Hold } from './hold.ts'
import type { StressorEnd, StressorEvent, StressorLog } from './log.ts'
import { failed, type StressorProcess } from './process.ts'

export type StressorState =
  | 'planned' // a dry run: it will never act
  | 'starting'
  | 'running'
  | 'stopping'
  | 'stopped'

/** For how long a child that was told to stop may take until it is killed: what it has is given back then, too. */
const STOP_DEADLINE_MS = 400
/** The same of one that has something to undo, e.g. by asking another program, or to let go of. */
const UNDO_DEADLINE_MS = 5000
/** The same under an emergency stop, which is to be over within a second. */
const EMERGENCY_UNDO_DEADLINE_MS = 900

/** What a stressor is made from: a spec that has been checked. */
export interface StressorFields {
  readonly id: string
  readonly name: string
  readonly definition: StressorDefinition
  readonly attributes: Readonly<Record<string, unknown>>
  readonly plan: Plan
  readonly ttlMs: number
  readonly rampUpMs: number
  readonly hold: Hold
}

export interface StressorHost {
  readonly clock: Clock
  readonly events: StressorLog
  /** It is over, and nothing is left of it. */
  ended(stressor: Stressor): void
}

export class Stressor {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** What it tries to reach in the end, with all caps applied. */
  readonly requested: Figures
  /** What should be known of these numbers, e.g. that they were capped, as sentences. */
  readonly notes: readonly string[]
  /** How many threads compute. */
  readonly threads: number
  /** See {@link Plan.giveBackShare}. */
  readonly giveBackShare: number
  readonly ttlMs: number
  readonly rampUpMs: number
  readonly #host: StressorHost
  readonly #task: unknown
  readonly #letsGo: boolean
  readonly #hold: Hold
  #state: StressorState = 'planned'
  #requestedNow: Figures = {}
  #achieved: Figures = {}
  #startedMs: number | undefined
  #reason: StressorEnd | undefined
  #process: StressorProcess | undefined
  #expiry: TimerHandle
  #expiresMs: number | undefined
  #wasToldToStop = false
  #announcedEnd = false
  #gone: Promise<void> = Promise.resolve()

  /** Made by {@link Stressors.start}. */
  constructor({ id, name, definition, attributes, plan, ...fields }: StressorFields, host: StressorHost) {
    this.id = id
    this.name = name
    this.type = definition.type
    this.attributes = attributes
    this.requested = plan.requested
    this.notes = plan.notes
    this.threads = plan.threads ?? 0
    this.giveBackShare = plan.giveBackShare ?? 0
    this.ttlMs = fields.ttlMs
    this.rampUpMs = fields.rampUpMs
    this.#hold = fields.hold
    this.#letsGo = definition.letsGo ?? definition.undoes ?? false
    this.#task = plan.task
    this.#host = host
    this.#hold.whenOver(() => void this.stop('lease'))
  }

  get state(): StressorState {
    return this.#state
  }

  /** What it has, by its last report, one a second; empty before the first. */
  get achieved(): Figures {
    return this.#achieved
  }

  /**
   * What it is after at the moment, by its last report: less than {@link requested} while it ramps up. Empty before the
   * first report.
   */
  get requestedNow(): Figures {
    return this.#requestedNow
  }

  /** The id of what holds it; undefined = nothing does. */
  get lease(): string | undefined {
    return this.#hold.id
  }

  /** What is left of its time to live, in milliseconds; undefined before it acts. */
  get remainingMs(): number | undefined {
    if (this.#expiresMs === undefined) return undefined
    return this.#state === 'stopped' ? 0 : Math.max(0, this.#expiresMs - this.#host.clock.now())
  }

  /** When it began to act, in milliseconds since the Unix epoch; undefined if it has not. */
  get startedMs(): number | undefined {
    return this.#startedMs
  }

  /** Why it has ended; undefined while it goes on. */
  get reason(): StressorEnd | undefined {
    return this.#reason
  }

  /** The process that it acts in. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /**
   * Begins to act. To be called by {@link Stressors} alone.
   *
   * @throws FaultlineError `stressor_failed`; `stopped` if it was stopped meanwhile; then nothing is left
   */
  async begin(takeProcess: () => Promise<StressorProcess>): Promise<void> {
    this.#state = 'starting'
    try {
      const process = await takeProcess()
      if (this.#wasToldToStop) {
        process.kill()
        await process.exited
        throw this.#stoppedEarly()
      }
      this.#process = process
      this.#gone = process.exited.then(() => this.#leave())
      await this.#started(process)
    } catch (error) {
      this.#reason ??= 'died'
      this.#state = 'stopped'
      this.#process?.kill()
      await this.#gone
      this.#hold.release()
      this.#host.ended(this)
      throw this.#wasToldToStop ? this.#stoppedEarly() : error
    }
  }

  #stoppedEarly(): FaultlineError {
    return new FaultlineError('stopped', `${this.name}: stopped before it began`)
  }

  #started(process: StressorProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const message = { type: this.type, task: this.#task, ttlMs: this.ttlMs, rampUpMs: this.rampUpMs }
      process.begin(message, (answer) => {
        this.#receive(answer)
        if (answer.kind === 'started') resolve()
        if (answer.kind === 'ended') reject(failed(answer.message ?? answer.reason))
      })
      void this.#gone.then(() => reject(failed(process.lastWords)))
    })
  }

  #receive(message: FromChild): void {
    switch (message.kind) {
      case 'started':
        if (!this.#wasToldToStop) this.#state = 'running'
        this.#startedMs = this.#host.clock.wallTimeMs()
        this.#expiresMs = this.#host.clock.now() + this.ttlMs
        this.#expiry = this.#host.clock.setTimer(() => void this.stop('expired'), this.ttlMs)
        this.#announce('stressor_started', this.requested, {})
        break
      case 'report':
        this.#requestedNow = message.requested
        this.#achieved = message.achieved
        this.#announce('stressor_report', message.requested, message.achieved)
        break
      case 'ended':
        this.#announceEnd(message)
        break
      case 'ready':
        break
    }
  }

  /**
   * Ends it. Resolves when its process is gone and all that it took has been given back: within half a second, or as
   * long as it takes to undo what it did. It is no error if it has ended. For the reason `stop` it does not get to say
   * what it had achieved at last, unless it has something to undo or to let go of.
   */
  async stop(reason: StressorEnd = 'request'): Promise<void> {
    if (this.#state === 'planned' || this.#state === 'stopped') return
    this.#reason ??= reason
    this.#state = 'stopping'
    this.#wasToldToStop = true
    const isEmergency = reason === 'stop'
    // The kernel takes from a dead process what that would have to give back by itself, and is faster.
    if (isEmergency && !this.#letsGo) this.#process?.kill()
    else await this.#process?.stop(this.#deadlineMs(isEmergency))
    await this.#gone
  }

  #deadlineMs(isEmergency: boolean): number {
    if (!this.#letsGo) return STOP_DEADLINE_MS
    return isEmergency ? EMERGENCY_UNDO_DEADLINE_MS : UNDO_DEADLINE_MS
  }

  /** Resolves when it has ended, by whatever. */
  async untilEnd(): Promise<StressorEnd | undefined> {
    await this.#gone
    return this.#reason
  }

  #leave(): void {
    const wasStarted = this.#startedMs !== undefined
    this.#state = 'stopped'
    this.#host.clock.clearTimer(this.#expiry)
    const ended: EndedMessage = { kind: 'ended', reason: 'died', message: this.#process?.lastWords ?? '' }
    this.#announceEnd(this.#reason === undefined ? ended : { kind: 'ended', reason: 'request' })
    if (!wasStarted) return
    this.#hold.release()
    this.#host.ended(this)
  }

  /** Once: as soon as the load is gone, or when the process is. Whoever asked for the end first was its reason. */
  #announceEnd({ reason, message, requested, achieved }: EndedMessage): void {
    this.#reason ??= reason
    if (this.#announcedEnd || this.#startedMs === undefined) return
    this.#announcedEnd = true
    if (achieved) this.#achieved = achieved
    const why = { reason: this.#reason, ...(message !== undefined && { message }) }
    this.#announce('stressor_stopped', requested ?? this.requested, this.#achieved, why)
  }

  #announce(
    type: StressorEvent['type'],
    requested: Figures,
    achieved: Figures,
    end: Pick<StressorEvent, 'reason' | 'message'> = {},
  ): void {
    const { id: stressor, name, type: stressorType } = this
    const timeMs = this.#host.clock.wallTimeMs()
    this.#host.events.append({ timeMs, type, stressor, name, stressorType, requested, achieved, ...end })
  }
}
