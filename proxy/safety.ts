// What keeps faults from outliving their purpose: the emergency stop, times to live, leases.
import type { Clock } from './clock.ts'
import { FaultlineError } from './errors.ts'
import { Leases, type LeaseEvents } from './leases.ts'

/** A week: what is to last longer needs no end. */
export const MAX_TTL_MS = 604_800_000

export interface TtlOptions {
  /** Of faults that name none, in milliseconds. Default: {@link TtlOptions.maxTtlMs}, or none. */
  readonly defaultTtlMs?: number | undefined
  /** A longer one is refused. Default: there is no limit. */
  readonly maxTtlMs?: number | undefined
}

export class Safety {
  readonly leases: Leases
  readonly #defaultTtlMs: number | undefined
  readonly #maxTtlMs: number | undefined
  #stopped = false

  /** @throws FaultlineError if the default is above the maximum */
  constructor(clock: Clock, { defaultTtlMs, maxTtlMs }: TtlOptions, leaseEvents: LeaseEvents) {
    this.#maxTtlMs = maxTtlMs
    this.#defaultTtlMs = this.timeToLive(defaultTtlMs ?? maxTtlMs, 'defaultTtlMs')
    this.leases = new Leases(clock, leaseEvents)
  }

  /** True from an emergency stop until it is taken back. */
  get stopped(): boolean {
    return this.#stopped
  }

  set stopped(stopped: boolean) {
    this.#stopped = stopped
  }

  /** To be asked before anything begins to act. @throws FaultlineError `stopped` */
  checkNotStopped(): void {
    if (!this.#stopped) return
    throw new FaultlineError('stopped', 'the emergency stop is on: no fault can act until it is taken back (resume)')
  }

  /**
   * How long a fault may stay, in milliseconds; undefined = until it is removed.
   *
   * @throws FaultlineError if that is longer than the maximum
   */
  timeToLive(askedMs: number | undefined, field = 'ttlMs'): number | undefined {
    const ttlMs = askedMs ?? this.#defaultTtlMs
    const max = this.#maxTtlMs
    if (ttlMs === undefined || max === undefined || ttlMs <= max) return ttlMs
    const expected = `at most ${max}, the maximum here`
    throw new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${ttlMs}`, { field, expected })
  }
}
