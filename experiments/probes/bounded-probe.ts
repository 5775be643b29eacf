// What all kinds of probes share: the time limit, giving up, and the end.
import type { Clock } from '../../proxy/clock.ts'
import { describeFailure } from './failure.ts'
import { invalidField } from './invalid.ts'
import { DEFAULT_TIMEOUT_MS, type Probe, type ProbeAnswer, type ProbeSettings } from './probe.ts'

/** What a kind of probe adds. */
export interface Look {
  /** Asks once. Has to end soon after the signal; what it throws then does not matter. */
  look(signal: AbortSignal): Promise<ProbeAnswer>
  /** Frees what it keeps from one run to the next. No run is under way. */
  close(): Promise<void>
}

const MAX_TIMEOUT_MS = 600_000

export class BoundedProbe implements Probe {
  readonly name: string
  readonly #timeoutMs: number
  readonly #clock: Clock
  readonly #look: Look
  /** Each with what gives it up. */
  readonly #running = new Map<Promise<ProbeAnswer>, () => void>()
  #isClosed = false

  /** @throws FaultlineError `invalid_value` naming `name` or `timeoutMs` */
  constructor({ name, timeoutMs = DEFAULT_TIMEOUT_MS }: ProbeSettings, clock: Clock, look: Look) {
    if (name === '') throw invalidField('name', 'a non-empty text', name)
    if (!(timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS)) {
      throw invalidField('timeoutMs', `a number above 0 and at most ${MAX_TIMEOUT_MS}`, timeoutMs)
    }
    this.name = name
    this.#timeoutMs = timeoutMs
    this.#clock = clock
    this.#look = look
  }

  async run(signal: AbortSignal): Promise<ProbeAnswer> {
    if (this.#isClosed) throw new Error(`the probe ${this.name} was closed`)
    const bounds = new AbortController()
    const giveUp = (): void => bounds.abort('given up')
    const running = this.#run(bounds)
    this.#running.set(running, giveUp)
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    try {
      return await running
    } finally {
      signal.removeEventListener('abort', giveUp)
      this.#running.delete(running)
    }
  }

  async #run(bounds: AbortController): Promise<ProbeAnswer> {
    const { signal } = bounds
    const timer = this.#clock.setTimer(() => bounds.abort('timeout'), this.#timeoutMs)
    try {
      return await this.#look.look(signal)
    } catch (error) {
      return { good: false, reason: signal.aborted ? String(signal.reason) : describeFailure(error) }
    } finally {
      this.#clock.clearTimer(timer)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const giveUp of this.#running.values()) giveUp()
    await Promise.all(this.#running.keys())
    await this.#look.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
