// A server that has had enough: 429 above so many requests in a window.
import { bodyField, hasNoContent, readBody, withContentType } from './answer-body.ts'
import { statusField } from './fields.ts'
import { checkHeaderName, type HeaderLine } from './header-fields.ts'
import { defineHttpFault, invalidField, PASS, Schema } from './http-fault.ts'

/** Buckets that are kept; the one that was not used for longest is forgotten first. */
const MAX_KEYS = 10_000

interface Window {
  readonly startMs: number
  requests: number
}

/** Fixed windows: each begins with its first request. One for all connections of a proxy. */
class Windows {
  readonly #windowMs: number
  readonly #byKey = new Map<string, Window>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Counts a request. Returns its number in its window, from 1, and when that is over. */
  count(key: string, nowMs: number): { readonly number: number; readonly resetMs: number } {
    const known = this.#byKey.get(key)
    const window = known && nowMs - known.startMs < this.#windowMs ? known : { startMs: nowMs, requests: 0 }
    window.requests++
    // Behind all others: the map's order is that of use.
    this.#byKey.delete(key)
    this.#byKey.set(key, window)
    if (this.#byKey.size > MAX_KEYS) this.#forgetOldest()
    return { number: window.requests, resetMs: window.startMs + this.#windowMs }
  }

  #forgetOldest(): void {
    for (const key of this.#byKey.keys()) {
      this.#byKey.delete(key)
      return
    }
  }
}

export const httpRateLimit = defineHttpFault({
  type: 'http_rate_limit',
  describe:
    'Lets so many requests pass in a window of time, over all connections, and answers the others itself, with ' +
    'Retry-After and RateLimit headers. A window begins with its first request. A change begins all windows anew.',
  schema: Schema.Object({
    limit: Schema.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'Requests that pass in a window.' }),
    windowMs: Schema.Integer({
      default: 60_000,
      minimum: 1,
      maximum: 86_400_000,
      description: 'How long a window lasts, in milliseconds.',
    }),
    keyHeader: Schema.Optional(
      Schema.String({
        minLength: 1,
        description: 'A request header: each of its values has windows of its own, up to 10,000 of them at a time.',
      }),
    ),
    status: statusField({ default: 429, description: 'Status of the answer above the limit.' }),
    body: bodyField,
  }),
  create(attributes, environment) {
    const { limit, windowMs, keyHeader, status } = attributes
    if (keyHeader !== undefined) checkHeaderName(keyHeader, environment.field('keyHeader'))
    if (attributes.body !== undefined && hasNoContent(status)) {
      const expected = `nothing, as an answer ${status} has no body`
      throw invalidField(environment.field('body'), expected, attributes.body)
    }
    const body = readBody(attributes.body, environment)
    const windows = new Windows(windowMs)
    return {
      phase: 'request',
      decide({ request }, { clock }) {
        const nowMs = clock.now()
        const key = keyHeader === undefined ? '' : (request.head.header(keyHeader) ?? '')
        const { number, resetMs } = windows.count(key, nowMs)
        if (number <= limit) return PASS
        const headers = withContentType(limitHeaders(limit, Math.ceil((resetMs - nowMs) / 1000)), body)
        return { kind: 'answer', answer: { status, headers, body: body.content } }
      },
    }
  },
})

/** RFC 9110 section 10.2.3, and draft-ietf-httpapi-ratelimit-headers-07 section 5; times in whole seconds from now. */
function limitHeaders(limit: number, resetSeconds: number): HeaderLine[] {
  return [
    ['Retry-After', String(resetSeconds)],
    ['RateLimit-Limit', String(limit)],
    ['RateLimit-Remaining', '0'],
    ['RateLimit-Reset', String(resetSeconds)],
  ]
}
