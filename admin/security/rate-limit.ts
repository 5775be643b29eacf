// How many requests an address may send: a client that polls without a pause must not slow down the proxies, which
// share a thread with the API.
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import { HEALTH_PATH } from './auth.ts'
import { Refusal } from './refusal.ts'

/** Free of it: whatever else a client did, it must be able to stop everything. */
const UNLIMITED_PATHS = new Set<string | undefined>([HEALTH_PATH, '/v1/stop'])

const WINDOW_MS = 1000

/** Addresses that are counted at a time. Some 100 bytes each. */
const MAX_ADDRESSES = 5000

/**
 * Answers 429 with Retry-After to an address (of IPv6, a /64) that sent more in a second; what is refused counts, too.
 * Behind a reverse proxy or Docker's NAT all clients have one address.
 */
export async function limitRate(app: FastifyInstance, maxRequestsPerSecond: number): Promise<void> {
  await app.register(rateLimit, {
    global: false, // not by route: unknown paths count
    max: maxRequestsPerSecond,
    timeWindow: WINDOW_MS,
    store: MonotonicCounts,
    allowList: (request) => UNLIMITED_PATHS.has(request.routeOptions.url),
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
    errorResponseBuilder: (_request, { max, ttl }) => {
      const expected = `at most ${max} requests a second`
      return new Refusal(429, 'rate_limited', `expected ${expected} of one address; go on in ${ttl} ms`, { expected })
    },
  })
  app.addHook('onRequest', app.rateLimit())
}

/**
 * Counts by a clock that is never set. By the wall clock, as the package's own store does, a clock that is set back by
 * an hour would be an hour of 429.
 */
class MonotonicCounts {
  /** In the order of their windows' beginnings. */
  readonly #windows = new Map<string, { current: number; readonly sinceMs: number }>()

  incr(
    address: string,
    callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
    windowMs: number,
  ): void {
    const nowMs = performance.now()
    let window = this.#windows.get(address)
    if (!window || nowMs - window.sinceMs >= windowMs) {
      window = { current: 0, sinceMs: nowMs }
      this.#windows.delete(address)
      this.#windows.set(address, window)
      this.#forgetOldest()
    }
    window.current++
    callback(null, { current: window.current, ttl: Math.ceil(window.sinceMs + windowMs - nowMs) })
  }

  /** Counts of its own for a route with a limit of its own: there is none. */
  child(): MonotonicCounts {
    return this
  }

  #forgetOldest(): void {
    if (this.#windows.size <= MAX_ADDRESSES) return
    for (const oldest of this.#windows.keys()) {
      this.#windows.delete(oldest)
      return
    }
  }
}
