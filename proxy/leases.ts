// Leases: what a client holds by one ends soon after the client has stopped renewing it, e.g. because it was killed.
import { randomUUID } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { Clock, TimerHandle } from './clock.ts'
import { FaultlineError } from './errors.ts'
import { validate } from './validate.ts'

export interface LeaseSpec {
  /** How long the lease lasts after it was made or renewed, in milliseconds: 100 to an hour. */
  readonly ttlMs: number
  /** It is to hold an experiment, and may have to wait for its turn: see {@link Lease.ahead}. Default false. */
  readonly experiment?: boolean
}

/** Shorter ones would end by a pause of the holder's garbage collector. */
const MIN_LEASE_MS = 100
const MAX_LEASE_MS = 3_600_000
/** At the same time. */
const MAX_LEASES = 10_000
/** More disturbances at a time, and nobody could tell what was borne and what was not. */
const EXPERIMENTS_AT_ONCE = 3
/** Acting or waiting. */
const MAX_EXPERIMENTS = 100

export const leaseSpecSchema = Type.Object({
  ttlMs: Type.Integer({
    minimum: MIN_LEASE_MS,
    maximum: MAX_LEASE_MS,
    description: 'Time in milliseconds after which it ends unless it is renewed.',
  }),
  experiment: Type.Optional(
    Type.Boolean({
      description:
        `It is to hold an experiment. ${EXPERIMENTS_AT_ONCE} of these have their turn at a time, in the order in which ` +
        'they came; by one that waits nothing can be held. Default false.',
    }),
  ),
})

/** Why a lease is over. */
export type LeaseEnd = 'expired' | 'request' | 'stop' // the emergency stop, of those that hold experiments

interface LeaseHost {
  readonly clock: Clock
  ahead(lease: Lease): number
  ended(lease: Lease, how: LeaseEnd): void
}

export class Lease {
  readonly id: string = randomUUID()
  readonly ttlMs: number
  readonly experiment: boolean
  readonly #host: LeaseHost
  readonly #held = new Set<() => void>()
  #expiresMs = 0
  #timer: TimerHandle
  #over = false

  /** Made by {@link Leases.create}. */
  constructor(host: LeaseHost, { ttlMs, experiment = false }: LeaseSpec) {
    this.#host = host
    this.ttlMs = ttlMs
    this.experiment = experiment
    this.renew()
  }

  /** Until it ends, in milliseconds; 0 when it has. */
  get leftMs(): number {
    return this.#over ? 0 : Math.max(0, this.#expiresMs - this.#host.clock.now())
  }

  /** How many experiments have to end before it is the turn of this one; 0: it is, or this holds no experiment. */
  get ahead(): number {
    return this.#host.ahead(this)
  }

  /** How much is held by it. */
  get holds(): number {
    return this.#held.size
  }

  /** It lasts its whole time again from now. Nothing if it is over. */
  renew(): void {
    if (this.#over) return
    const { clock } = this.#host
    clock.clearTimer(this.#timer)
    this.#expiresMs = clock.now() + this.ttlMs
    this.#timer = clock.setTimer(() => this.#end('expired'), this.ttlMs)
  }

  /** Ends it, and all that it holds. */
  end(how: LeaseEnd = 'request'): void {
    this.#end(how)
  }

  /**
   * Has something end with the lease.
   *
   * @returns to be called when it has ended by itself
   */
  hold(release: () => void): () => void {
    this.#held.add(release)
    return () => this.#held.delete(release)
  }

  #end(how: LeaseEnd): void {
    if (this.#over) return
    this.#over = true
    this.#host.clock.clearTimer(this.#timer)
    for (const release of this.#held) release()
    this.#held.clear()
    this.#host.ended(this, how)
  }
}

/** Who is told of leases that come and go. */
export interface LeaseEvents {
  created(lease: Lease): void
  ended(lease: Lease, how: LeaseEnd): void
}

/** The leases of a network. */
export class Leases {
  readonly #clock: Clock
  readonly #events: LeaseEvents
  readonly #leases = new Map<string, Lease>()
  /** Those of experiments, in the order of their turns. */
  readonly #experiments = new Set<Lease>()

  constructor(clock: Clock, events: LeaseEvents) {
    this.#clock = clock
    this.#events = events
  }

  /**
   * @example
   * const lease = network.leases.create({ ttlMs: 5000 })
   * proxy.addFault({ type: 'latency', lease: lease.id, attributes: { latency: 100 } })
   * setInterval(() => lease.renew(), 1000)
   * @throws FaultlineError naming the field
   */
  create(spec: LeaseSpec): Lease {
    const valid = validate(leaseSpecSchema, spec) as LeaseSpec
    if (this.#leases.size >= MAX_LEASES) {
      throw new FaultlineError('limit_reached', `there are ${MAX_LEASES} leases, no more can be had`)
    }
    if (valid.experiment === true && this.#experiments.size >= MAX_EXPERIMENTS) {
      throw new FaultlineError('limit_reached', `${MAX_EXPERIMENTS} experiments act or wait, no more can be had`)
    }
    const host: LeaseHost = {
      clock: this.#clock,
      ahead: (lease) => this.#ahead(lease),
      ended: (lease, how) => {
        this.#leases.delete(lease.id)
        this.#experiments.delete(lease)
        this.#events.ended(lease, how)
      },
    }
    const lease = new Lease(host, valid)
    this.#leases.set(lease.id, lease)
    if (lease.experiment) this.#experiments.add(lease)
    this.#events.created(lease)
    return lease
  }

  get(id: string): Lease | undefined {
    return this.#leases.get(id)
  }

  #ahead(lease: Lease): number {
    let ahead = 1 - EXPERIMENTS_AT_ONCE
    for (const experiment of this.#experiments) {
      if (experiment === lease) return Math.max(0, ahead)
      ahead++
    }
    return 0
  }

  /**
   * One that may hold something now.
   *
   * @throws FaultlineError `lease_not_found`: there is none, or it has ended; `lease_waits`: it is not its turn
   */
  require(id: string, field = 'lease'): Lease {
    const lease = this.find(id, field)
    const { ahead } = lease
    if (ahead === 0) return lease
    const expected = 'the id of a lease whose turn it is'
    throw new FaultlineError(
      'lease_waits',
      `${field}: expected ${expected}, got ${JSON.stringify(id)}, behind ${ahead} others`,
      {
        field,
        expected,
      },
    )
  }

  /** One that may still be waiting. @throws FaultlineError `lease_not_found`: there is none, or it has ended */
  find(id: string, field = 'lease'): Lease {
    const lease = this.#leases.get(id)
    if (lease) return lease
    const expected = 'the id of a lease that has not ended'
    throw new FaultlineError('lease_not_found', `${field}: expected ${expected}, got ${JSON.stringify(id)}`, {
      field,
      expected,
    })
  }

  *[Symbol.iterator](): IterableIterator<Lease> {
    yield* this.#leases.values()
  }

  /** Ends those of experiments, also of those that wait: none goes on as if nothing had been. */
  endExperiments(): void {
    for (const lease of this.#experiments) lease.end('stop')
  }

  /** Ends all. */
  close(): void {
    for (const lease of this.#leases.values()) lease.end()
  }
}
