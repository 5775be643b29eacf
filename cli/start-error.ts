// Says in words why a server could not be started.
import { isFaultlineError, systemCode } from '../proxy/errors.ts'
import { CommandError, UsageError } from './errors.ts'

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted, expected a port from 1024 or the right to use a lower one',
  EADDRNOTAVAIL: 'not an address of this machine',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host could not be looked up',
}

export interface StartContext {
  /** `host:port` of the API. */
  readonly api: string
  /** How to choose another address for it. */
  readonly apiHint: string
  /** Where the proxies come from. */
  readonly proxies: string
}

/** What to report for an error of startAdminServer. */
export function toStartError(error: unknown, { api, apiHint, proxies }: StartContext): unknown {
  if (isFaultlineError(error)) {
    if (/^(?:auditLog|allowedHosts)\b/.test(error.field ?? '')) return new CommandError(error.message, { cause: error })
    const message = `${proxies}: ${error.message}`
    return error.code === 'listen_failed'
      ? new CommandError(message, { cause: error })
      : new UsageError(message, { cause: error })
  }
  const reason = reasons[systemCode(error) ?? '']
  return reason === undefined
    ? error
    : new CommandError(`cannot listen on ${api}: ${reason}; ${apiHint}`, { cause: error })
}
