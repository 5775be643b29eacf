// Puts everything that guards the API in front of its routes, in this order.
import type { FastifyInstance } from 'fastify'
import { sendProblem } from '../errors.ts'
import { auditRequests } from './audit.ts'
import { requireToken } from './auth.ts'
import { guardOrigins } from './guards.ts'
import { limitConnections } from './limits.ts'
import { isLoopback } from './loopback.ts'
import { checkSecurityOptions, type SecurityOptions } from './options.ts'
import { limitRate } from './rate-limit.ts'
import { refuseBrowsers } from './refuse-browsers.ts'

/**
 * Call it before any route is added.
 *
 * @param host what the server will listen on
 * @throws FaultlineError `invalid_value` naming the option that is wrong
 */
export async function installSecurity(app: FastifyInstance, host: string, options: SecurityOptions): Promise<void> {
  const { tokens, allowedHosts, maxRequestsPerSecond, auditLog } = checkSecurityOptions(options)
  // Of routes that are neither ours nor Toxiproxy's, as /metrics.
  app.setErrorHandler(sendProblem)
  limitConnections(app)
  await auditRequests(app, auditLog)
  // First, so that guesses of tokens count.
  await limitRate(app, maxRequestsPerSecond)
  refuseBrowsers(app)
  guardOrigins(app, { loopback: isLoopback(host), token: tokens.length > 0, allowedHosts })
  requireToken(app, tokens)
}

/** What to warn of, if anything: an API that other machines can reach is theirs without a token. */
export function exposureWarning(host: string, options: SecurityOptions): string | undefined {
  if (isLoopback(host) || checkSecurityOptions(options).tokens.length > 0) return undefined
  return 'the API may be reached from other machines, and there is no authentication; set a token'
}
