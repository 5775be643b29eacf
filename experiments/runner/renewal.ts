// The lease that holds an experiment: kept alive as long as this process is, and asked whether it is its turn.
import { systemClock } from '../../proxy/clock.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import type { Holding } from './target.ts'
import { inTime, unlessAborted } from './waiting.ts'

/** Renewals in the time of a lease, at least: two may fail. */
const RENEWALS = 3
/** How soon it is noticed that the lease has ended, as by the emergency stop. */
const MOST_PAUSE_MS = 500
/** The same of its turn. */
const MOST_PAUSE_WAITING_MS = 250
/** A target that does not answer lets a lease end by itself. */
const RELEASE_DEADLINE_MS = 1000

const GONE =
  'it has ended: by the emergency stop or by somebody else, as the server was started anew, or as this process was busy for ' +
  'too long'

export interface RenewalOptions {
  readonly leaseMs: number
  /** How many experiments had to end before when it was made. */
  readonly ahead: number
  /** @returns how many have to end before; undefined: there is no such lease any more. @throws if it can't be told now */
  readonly renew: () => Promise<number | undefined>
}

export class Renewal {
  readonly #options: RenewalOptions
  readonly #lost = new AbortController()
  #ahead: number
  #onAhead: (ahead: number) => void = () => undefined
  #renewedMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(options: RenewalOptions) {
    this.#options = options
    this.#ahead = options.ahead
    this.#wait()
  }

  /** Aborts when it could not be renewed; its reason is a FaultlineError `lease_not_found`. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /**
   * Resolves when it is its turn.
   *
   * @param onAhead told how many have to end before, first and whenever that changes; 0 at last
   * @throws the signal's reason when it aborts, and that of {@link lost}
   */
  async untilTurn(onAhead: (ahead: number) => void, signal: AbortSignal): Promise<void> {
    const turn = new Promise<void>((resolve, reject) => {
      this.#onAhead = (ahead) => {
        try {
          onAhead(ahead)
        } catch (error) {
          reject(error)
        }
        if (ahead === 0) resolve()
      }
    })
    this.#onAhead(this.#ahead)
    await unlessAborted(turn, AbortSignal.any([signal, this.lost]))
  }

  /** It is not renewed any more. */
  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #wait(): void {
    if (this.#isOver) return
    const mostMs = this.#ahead > 0 ? MOST_PAUSE_WAITING_MS : MOST_PAUSE_MS
    this.#timer = setTimeout(() => void this.#renew(), Math.min(this.#options.leaseMs / RENEWALS, mostMs))
  }

  async #renew(): Promise<void> {
    const { leaseMs, renew } = this.#options
    try {
      const ahead = await renew()
      if (ahead === undefined) this.#lose(GONE)
      else this.#renewed(ahead)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (performance.now() - this.#renewedMs >= leaseMs) this.#lose(reason, error)
    }
    this.#wait()
  }

  #renewed(ahead: number): void {
    this.#renewedMs = performance.now()
    if (ahead === this.#ahead) return
    this.#ahead = ahead
    if (!this.#isOver) this.#onAhead(ahead)
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.#isOver) return
    this.stop()
    const { leaseMs } = this.#options
    const message = `the lease of ${leaseMs} ms that holds the experiment is lost: ${reason}`
    this.#lost.abort(new FaultlineError('lease_not_found', message, { cause }))
  }
}

/**
 * @returns what holds, when it is its turn
 * @throws what {@link Renewal.untilTurn} throws; then it is released, or ends by itself
 */
export async function inTurn(
  holding: Holding,
  renewal: Renewal,
  ...[signal, onAhead]: readonly [AbortSignal, (ahead: number) => void]
): Promise<Holding> {
  try {
    await renewal.untilTurn(onAhead, signal)
    return holding
  } catch (error) {
    await inTime(systemClock, RELEASE_DEADLINE_MS, holding.release())
    throw error
  }
}
