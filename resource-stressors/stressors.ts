// The supervisor: starts stressors, knows those that are there, ends them.
import { setMaxListeners } from 'node:events'
import { Type } from '@sinclair/typebox'
import { systemClock, type Clock } from '../proxy/clock.ts'
import { FaultlineError } from '../proxy/errors.ts'
import { joinPath, validate } from '../proxy/validate.ts'
import { refusal, type Plan } from './definition.ts'
import { Hold, type StressorHolder } from './hold.ts'
import { StressorLog, type StressorEnd } from './log.ts'
import { Machine } from './machine/machine.ts'
import { StressorProcess } from './process.ts'
import { checkSpec, type CheckedSpec, type StressorSpec, type TtlLimits } from './spec.ts'
import { Stressor, type StressorHost } from './stressor.ts'

export interface StressorsOptions {
  /** What times to live go by. Default: the real one. */
  readonly clock?: Clock
  /** How many events are kept. Default 10,000. */
  readonly logEntries?: number
  /** So much memory stays free, where the built-in floor, 256 MiB or 5 %, is lower. Default 0. */
  readonly memoryFloorBytes?: number
  /** So much space stays free on a disk, where the built-in floor, 1 GiB or 5 %, is lower. Default 0. */
  readonly diskFloorBytes?: number
  /** Where `proc` and `sys` are found. Default `/`. */
  readonly machineRoot?: string
  /** How long those act that name no time, in milliseconds; never longer than the maximum. Default 60,000. */
  readonly defaultTtlMs?: number
  /** Those that are to act longer, in milliseconds, are refused. Default 900,000, and never more. */
  readonly maxTtlMs?: number
}

const stressorsOptionsSchema = Type.Object({
  logEntries: Type.Integer({ default: 10_000, minimum: 1, maximum: 10_000_000 }),
  memoryFloorBytes: Type.Integer({ default: 0, minimum: 0 }),
  diskFloorBytes: Type.Integer({ default: 0, minimum: 0 }),
  machineRoot: Type.String({ default: '/', minLength: 1 }),
  defaultTtlMs: Type.Optional(Type.Integer({ minimum: 1 })),
  maxTtlMs: Type.Optional(Type.Integer({ minimum: 1 })),
})

/** Each is a process with threads. */
const MAX_STRESSORS = 32
/** Of those that have ended, so many can still be looked at. */
const MAX_ENDED = 100
/** A process that the kernel does not end, e.g. as it waits for a disk that does not answer, is not waited for longer. */
const END_DEADLINE_MS = 4000

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
  readonly #diskFloorBytes: number
  /** Those that are starting, running or stopping, by id. */
  readonly #present = new Map<string, Stressor>()
  /** The latest that have ended, by id. */
  readonly #ended = new Map<string, Stressor>()
  readonly #beginning = new Set<Promise<void>>()
  readonly #guards = new Set<() => void>()
  readonly #ttlLimits: TtlLimits
  /** A process that waits. */
  #waiting: Promise<StressorProcess> | undefined
  /** Kills processes that are not ready yet. */
  #startup = newStartup()
  #count = 0
  /** How often all had to end: what was being planned then must not begin. */
  #stops = 0
  #closed = false

  constructor({ clock = systemClock, ...options }: StressorsOptions = {}) {
    const { logEntries, memoryFloorBytes, diskFloorBytes, machineRoot, ...ttlLimits } = validate(
      stressorsOptionsSchema,
      options,
    )
    this.#clock = clock
    this.events = new StressorLog(logEntries)
    this.#machine = new Machine(machineRoot)
    this.#memoryFloorBytes = memoryFloorBytes
    this.#diskFloorBytes = diskFloorBytes
    this.#ttlLimits = ttlLimits
  }

  /** Those that are there, in the order of their start. */
  get list(): readonly Stressor[] {
    return [...this.#present.values()]
  }

  get(id: string): Stressor | undefined {
    return this.#present.get(id)
  }

  /** By id or name: one that is there, or else one of the latest that have ended. */
  find(idOrName: string): Stressor | undefined {
    const present = this.#presentOne(idOrName)
    if (present) return present
    const isMeant = ({ id, name }: Stressor): boolean => id === idOrName || name === idOrName
    return [...this.#ended.values()].findLast(isMeant)
  }

  #presentOne(idOrName: string): Stressor | undefined {
    return this.#present.get(idOrName) ?? this.list.find(({ name }) => name === idOrName)
  }

  /**
   * Has every start ask first, e.g. whether an emergency stop is on. Dry runs don't: they change nothing.
   *
   * @param check throws what a start is to be refused with
   * @returns takes it back
   */
  guard(check: () => void): () => void {
    this.#guards.add(check)
    return () => this.#guards.delete(check)
  }

  #checkMayStart(): void {
    for (const check of this.#guards) check()
  }

  /**
   * Starts a process ahead, so that the next stressor acts within milliseconds; resolves when it waits. From the first
   * stressor on there always is one.
   *
   * @throws FaultlineError `stressor_failed`; whatever {@link guard} refuses with
   */
  async prepare(): Promise<void> {
    this.#checkOpen()
    this.#checkMayStart()
    await (this.#waiting ??= this.#startWaiting())
  }

  #startWaiting(): Promise<StressorProcess> {
    const waiting = StressorProcess.start(false, this.#startup.signal)
    waiting.catch(() => {
      if (this.#waiting === waiting) this.#waiting = undefined // the next one tries again
    })
    return waiting
  }

  /**
   * Starts a stressor; resolves when it acts. A dry run changes nothing and is not in {@link list}.
   *
   * @param holder when it ends, so does the stressor
   * @throws FaultlineError naming the field that is wrong; `stressor_refused` if the machine can't bear it;
   * `stressor_exists`; `limit_reached`; `stressor_failed`; `stopped` if it was stopped before it began; whatever
   * {@link guard} refuses with
   */
  async start(spec: StressorSpec, holder?: StressorHolder): Promise<Stressor> {
    this.#checkOpen()
    const checked = checkSpec(spec, this.#ttlLimits)
    if (checked.dryRun) return this.#make(checked, await this.#plan(checked), new Hold(undefined))
    this.#checkMayStart()
    const hold = new Hold(holder)
    let stressor: Stressor
    try {
      const stops = this.#stops
      const planned = this.#plan(checked)
      // Without an await where there is nothing to wait for: what others have is as it was when it was counted.
      const plan = planned instanceof Promise ? await planned : planned
      if (stops !== this.#stops || hold.isOver) throw stoppedEarly(checked)
      stressor = this.#make(checked, plan, hold)
      if (this.#present.size >= MAX_STRESSORS) {
        throw new FaultlineError('limit_reached', `there are ${MAX_STRESSORS} stressors, no more can be had`)
      }
    } catch (error) {
      hold.release()
      throw error
    }
    this.#present.set(stressor.id, stressor)
    const beginning = stressor.begin(() => this.#takeProcess(checked.definition.undoes))
    this.#beginning.add(beginning)
    await beginning.finally(() => this.#beginning.delete(beginning))
    // Behind this turn: to start a process takes 4 ms, and whoever waits for this one would be told that much later.
    const stops = this.#stops
    setImmediate(() => {
      if (stops === this.#stops) this.prepare().catch(() => undefined) // the next start tells, if it fails again
    })
    return stressor
  }

  #plan({ definition, attributes, rampUpMs, ttlMs }: CheckedSpec): Plan | Promise<Plan> {
    const inUse = (figureOf: (stressor: Stressor) => number): number =>
      this.list.reduce((sum, stressor) => sum + figureOf(stressor), 0)
    return definition.plan(attributes, {
      machine: this.#machine,
      memoryFloorBytes: this.#memoryFloorBytes,
      diskFloorBytes: this.#diskFloorBytes,
      rampUpMs,
      ttlMs,
      // As it is when it is asked for: who has to wait for something may not be the only one.
      get threadsInUse() {
        return inUse(({ threads }) => threads)
      },
      get giveBackShareInUse() {
        return inUse(({ giveBackShare }) => giveBackShare)
      },
      field: (name) => joinPath('attributes', name),
    })
  }

  #make({ definition, attributes, ttlMs, rampUpMs, ...checked }: CheckedSpec, plan: Plan, hold: Hold): Stressor {
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
      ended: (stressor) => this.#forget(stressor),
    }
    return new Stressor({ id: `s${number}`, name, definition, attributes, plan, ttlMs, rampUpMs, hold }, host)
  }

  /** One that has never acted is not kept: whoever asked for it was told. */
  #forget(stressor: Stressor): void {
    this.#present.delete(stressor.id)
    if (stressor.startedMs === undefined) return
    this.#ended.set(stressor.id, stressor)
    for (const id of [...this.#ended.keys()].slice(0, -MAX_ENDED)) this.#ended.delete(id)
  }

  async #takeProcess(undoes = false): Promise<StressorProcess> {
    const { signal } = this.#startup
    if (undoes) return StressorProcess.start(undoes, signal)
    const waiting = this.#waiting
    this.#waiting = undefined
    const process = await waiting?.catch(() => undefined)
    return process && !process.gone ? process : StressorProcess.start(false, signal)
  }

  /**
   * Ends one that is there.
   *
   * @throws FaultlineError `stressor_not_found`
   */
  async stop(idOrName: string): Promise<void> {
    const stressor = this.#presentOne(idOrName)
    if (!stressor) {
      const message = `there is no stressor with the id or name "${idOrName}"`
      throw new FaultlineError('stressor_not_found', message)
    }
    await stressor.stop()
  }

  /**
   * Ends all, also those that are starting: for the reason `stop` within a second, by killing outright what has nothing
   * to undo or to let go of, and the process that waits ahead as well. Resolves when no process is left, after 4 s in any case; one that
   * the kernel can't end by then is still in {@link list}.
   *
   * @returns how many there were
   */
  async stopAll(reason: StressorEnd = 'stop'): Promise<number> {
    this.#stops++
    const { size } = this.#present
    const ends: Promise<unknown>[] = this.list.map((stressor) => stressor.stop(reason))
    if (reason === 'stop') ends.push(this.#endWaiting())
    await withinDeadline(Promise.allSettled([...ends, ...this.#beginning]))
    return size
  }

  /** Ends the process that waits, and those that are not ready to. */
  async #endWaiting(): Promise<void> {
    this.#startup.abort()
    this.#startup = newStartup()
    const waiting = this.#waiting
    this.#waiting = undefined
    const process = await waiting?.catch(() => undefined)
    process?.kill()
    await process?.exited
  }

  /** Ends all, and the process that waits; after 4 s in any case. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([this.stopAll('request'), withinDeadline(this.#endWaiting())])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw refusal('the supervisor of stressors is closed, none can be started')
  }
}

function newStartup(): AbortController {
  const startup = new AbortController()
  setMaxListeners(MAX_STRESSORS + 1, startup.signal) // or Node takes a process more than ten for a leak
  return startup
}

function stoppedEarly({ type }: CheckedSpec): FaultlineError {
  return new FaultlineError('stopped', `${type}: stopped before it began`)
}

async function withinDeadline(ends: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise((resolve) => {
    timer = setTimeout(resolve, END_DEADLINE_MS)
  })
  await Promise.race([ends, deadline])
  clearTimeout(timer)
}
