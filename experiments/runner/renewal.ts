// Keeps a lease alive as long as this process is.

/** Renewals in the time of a lease: two may fail. */
const RENEWALS = 3

export interface RenewalOptions {
  readonly leaseMs: number
  /** @returns false: there is no such lease any more. @throws if it can't be told now */
  readonly renew: () => Promise<boolean>
}

export class Renewal {
  readonly #options: RenewalOptions
  readonly #lost = new AbortController()
  #renewedMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(options: RenewalOptions) {
    this.#options = options
    this.#wait()
  }

  /** Aborts when it could not be renewed. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** It is not renewed any more. */
  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #wait(): void {
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#renew(), this.#options.leaseMs / RENEWALS)
  }

  async #renew(): Promise<void> {
    const { leaseMs } = this.#options
    try {
      if (await this.#options.renew()) this.#renewedMs = performance.now()
      else this.#lose('it has ended: this process was busy for too long, or somebody ended it')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      if (performance.now() - this.#renewedMs >= leaseMs) this.#lose(reason, error)
    }
    this.#wait()
  }

  #lose(reason: string, cause?: unknown): void {
    if (this.#isOver) return
    this.stop()
    const { leaseMs } = this.#options
    this.#lost.abort(new Error(`the lease of ${leaseMs} ms that holds the experiment is lost: ${reason}`, { cause }))
  }
}
