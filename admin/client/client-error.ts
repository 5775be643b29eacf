// Why a call of a client failed.

export type AdminClientErrorCode =
  | 'invalid_url' // the client was given something else than an http:// or https:// URL
  | 'unreachable' // no connection, or it broke
  | 'timeout' // no answer in time
  | 'refused' // an answer, but not of the 2xx kind
  | 'bad_answer' // a 2xx answer that is not of the API that was called, or too large

const brand = Symbol.for('faultline.admin-client-error')

/** Why a call failed. Told apart by {@link isAdminClientError} and its `code`. */
export class AdminClientError extends Error {
  readonly code: AdminClientErrorCode
  /** The HTTP status of a refusal. */
  readonly status: number | undefined
  /** The server's own words of a refusal, e.g. `proxy not found`. */
  readonly reason: string | undefined
  /** What a refusal of our own API says for programs. */
  readonly problem: Problem | undefined
  readonly [brand] = true

  constructor(code: AdminClientErrorCode, message: string, details: AdminClientErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'AdminClientError'
    this.code = code
    this.status = details.status
    this.reason = details.reason
    this.problem = details.problem
  }
}

/** Of a problem document (RFC 9457) as our own API answers. */
export interface Problem {
  /** Stable, e.g. `proxy_exists`. */
  readonly code: string
  /** The field that is wrong. */
  readonly field?: string
  /** What would have been right there. */
  readonly expected?: string
}

interface AdminClientErrorDetails {
  readonly status?: number
  readonly reason?: string
  readonly problem?: Problem | undefined
  readonly cause?: unknown
}

export function isAdminClientError(error: unknown): error is AdminClientError {
  return typeof error === 'object' && error !== null && brand in error
}
