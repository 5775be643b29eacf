// The supervisor: starts stressors, knows those that are there, ends them.
import { Type } from '@sinclair/typebox'
import { systemClock, type Clock } from '../proxy/clock.ts'
import { FaultlineError } from '../proxy/errors.ts'
import { joinPath, validate } from '../proxy/validate.ts'
import { refusal, type Plan } from './definition.ts'
import { StressorLog, type StressorEnd } from './log.ts'
import { Machine } from './machine/machine.ts'
import { StressorProcess } from './process.ts'
import { checkSpec, type CheckedSpec, type StressorSpec } from './spec.ts'
import { Stressor, type StressorHost } from './stressor.ts'

export interface StressorsOptions {
  /** What times to live go by. Default: the real one. */
  readonly clock?: Clock
  /** How many events are kept. Default 10,000. */
  readonly logEntries?: number
  /** So much memory stays free, where the built-in floor, 256 MiB or 5 %, is lower. Default 0. */
  readonly memoryFloorBytes?: number
  /** Where `proc` and `sys` are found. Default `/`. */
  readonly machineRoot?: string
}

const stressorsOptionsSchema = Type.Object({
  logEntries: Type.Integer({ default: 10_000, minimum: 1, maximum: 10_000_000 }),
  memoryFloorBytes: Type.Integer({ default: 0, minimum: 0 }),
  machineRoot: Type.String({ default: '/', minLength: 1 }),
})

/** Each is a process with threads. */
const MAX_STRESSORS = 32

/**
 * @example
 * const stressors = new Stressors()
 * const half = await stressors.start({ type: 'cpu', attributes: { load: 50 }, ttlMs: 10_000 })
 * // … half.achieved …
 * await half.stop()
 * await stressors.close()
 */
export class Stressors implements AsyncDisposable {
  /** Those that started and ended, and once a second what each achieves. */
  readonly events: StressorLog
  readonly #clock: Clock
  readonly #machine: Machine
  readonly #memoryFloorBytes: number
  /** Those that are starting, running or stopping, by id. */
  readonly #present = new Map<string, Stressor>()
  readonly #beginning = new Set<Promise<void>>()
  /** A process that waits. */
  #waiting: Promise<StressorProcess> | undefined
  #count = 0
  #closed = false

  constructor({ clock = systemClock, ...options }: StressorsOptions = {}) {
    const { logEntries, memoryFloorBytes, machineRoot } = validate(stressorsOptionsSchema, options)
    this.#clock = clock
    this.events = new StressorLog(logEntries)
    this.#machine = new Machine(machineRoot)
    this.#memoryFloorBytes = memoryFloorBytes
  }

  /** Those that are there, in the order of their start. */
  get list(): readonly Stressor[] {
    return [...this.#present.values()]
  }

  get(id: string): Stressor | undefined {
    return this.#present.get(id)
  }

  /**
   * Starts a process ahead, so that the next stressor acts within milliseconds; resolves when it waits. From the first
   * stressor on there always is one.
   *
   * @throws FaultlineError `stressor_failed`
   */
  async prepare(): Promise<void> {
    this.#checkOpen()
    await (this.#waiting ??= this.#startWaiting())
  }

  #startWaiting(): Promise<StressorProcess> {
    const waiting = StressorProcess.start()
    waiting.catch(() => {
      if (this.#waiting === waiting) this.#waiting = undefined // the next one tries again
    })
    return waiting
  }

  /**
   * Starts a stressor; resolves when it acts. A dry run changes nothing and is not in {@link list}.
   *
   * @throws FaultlineError naming the field that is wrong; `stressor_refused` if the machine can't bear it;
   * `stressor_exists`; `limit_reached`; `stressor_failed`; `stopped` if it was stopped before it began
   */
  async start(spec: StressorSpec): Promise<Stressor> {
    this.#checkOpen()
    const checked = checkSpec(spec)
    const stressor = this.#plan(checked)
    if (checked.dryRun) return stressor
    if (this.#present.size >= MAX_STRESSORS) {
      throw new FaultlineError('limit_reached', `there are ${MAX_STRESSORS} stressors, no more can be had`)
    }
    this.#present.set(stressor.id, stressor)
    const beginning = stressor.begin(() => this.#takeProcess(checked.definition.undoes))
    this.#beginning.add(beginning)
    await beginning.finally(() => this.#beginning.delete(beginning))
    if (!this.#closed) this.prepare().catch(() => undefined) // the next start tells, if it fails again
    return stressor
  }

  #plan({ definition, attributes, ttlMs, rampUpMs, ...checked }: CheckedSpec): Stressor {
    const plan: Plan = definition.plan(attributes, {
      machine: this.#machine,
      memoryFloorBytes: this.#memoryFloorBytes,
      rampUpMs,
      threadsInUse: this.list.reduce((sum, { threads }) => sum + threads, 0),
      field: (name) => joinPath('attributes', name),
    })
    const number = ++this.#count
    const name = checked.name ?? `${definition.type}-${number}`
    if (this.list.some((stressor) => stressor.name === name)) {
      const expected = 'a name that no other stressor has'
      const message = `name: expected ${expected}, got ${JSON.stringify(name)}`
      throw new FaultlineError('stressor_exists', message, { field: 'name', expected })
    }
    const host: StressorHost = {
      clock: this.#clock,
      events: this.events,
      ended: ({ id }) => this.#present.delete(id),
    }
    return new Stressor({ id: `s${number}`, name, definition, attributes, plan, ttlMs, rampUpMs }, host)
  }

  async #takeProcess(undoes = false): Promise<StressorProcess> {
    if (undoes) return StressorProcess.start(undoes)
    const waiting = this.#waiting
    this.#waiting = undefined
    const process = await waiting?.catch(() => undefined)
    return process && !process.gone ? process : StressorProcess.start()
  }

  /**
   * Ends one.
   *
   * @throws FaultlineError `stressor_not_found`
   */
  async stop(id: string): Promise<void> {
    const stressor = this.#present.get(id)
    if (!stressor) throw new FaultlineError('stressor_not_found', `there is no stressor with the id "${id}"`)
    await stressor.stop()
  }

  /** Ends all, also those that are starting, within a second. */
  async stopAll(reason: StressorEnd = 'stop'): Promise<void> {
    await Promise.all(this.list.map((stressor) => stressor.stop(reason)))
  }

  /** Ends all, and the process that waits. */
  async close(): Promise<void> {
    this.#closed = true
    const waiting = this.#waiting
    this.#waiting = undefined
    await this.stopAll('request')
    await Promise.allSettled(this.#beginning)
    const process = await waiting?.catch(() => undefined)
    process?.kill()
    await process?.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw refusal('the supervisor of stressors is closed, none can be started')
  }
}
