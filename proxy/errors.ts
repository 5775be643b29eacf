// The data plane's catalogue of errors. Codes are stable: programs may rely on them.

export type FaultlineErrorCode =
  | 'invalid_value' // a field has the wrong type or is out of range
  | 'unknown_field' // a field that does not exist here, most likely a typo
  | 'missing_field' // a required field is absent
  | 'unknown_fault_type' // no such fault in the registry
  | 'proxy_exists' // the name is taken
  | 'proxy_not_found'
  | 'fault_exists' // the name is taken on this proxy
  | 'fault_not_found'
  | 'fault_not_carried' // the proxy's protocol can't carry this type of fault
  | 'invalid_address' // not host:port
  | 'listen_failed' // the operating system refused the address
  | 'network_closed' // the network was closed
  | 'stopped' // the emergency stop is on: nothing may act until it is taken back
  | 'lease_not_found' // no such lease, or it has ended
  | 'lease_waits' // the lease of an experiment whose turn it is not yet
  | 'limit_reached' // as many as there may be
  | 'unknown_stressor_type' // no such stressor in the registry
  | 'stressor_exists' // the name is taken
  | 'stressor_not_found'
  | 'stressor_refused' // the machine can't bear it, or the platform lacks what makes it safe
  | 'stressor_failed' // its process could not do what it should

export interface FaultlineErrorDetails {
  /** Path of the field that is wrong, e.g. `attributes.latency`. */
  readonly field?: string
  /** What would have been right there. */
  readonly expected?: string
  readonly cause?: unknown
}

const brand = Symbol.for('faultline.error')

/**
 * An error of Faultline. Told apart by {@link isFaultlineError} and its `code`, never by instanceof: an ESM and a
 * CommonJS copy of the package may meet in one process.
 */
export class FaultlineError extends Error {
  readonly code: FaultlineErrorCode
  readonly field: string | undefined
  readonly expected: string | undefined
  readonly [brand] = true

  constructor(code: FaultlineErrorCode, message: string, details: FaultlineErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'FaultlineError'
    this.code = code
    this.field = details.field
    this.expected = details.expected
  }
}

export function isFaultlineError(error: unknown): error is FaultlineError {
  return typeof error === 'object' && error !== null && brand in error
}

/** The system's code of an I/O error, e.g. `ECONNREFUSED`. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return typeof code === 'string' ? code : undefined
}
