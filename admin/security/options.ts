// What the admin server may be told about its own safety, and what of it is wrong.
import { Type } from '@sinclair/typebox'
import { FaultlineError } from '../../proxy/errors.ts'
import { validate } from '../../proxy/validate.ts'

export interface SecurityOptions {
  /**
   * With it every path but /healthz wants `Authorization: Bearer <token>`. It is not read from query strings: those end
   * up in logs, histories and referrers; a page that can't set headers (EventSource, WebSocket) has no way in. Default
   * none; empty counts as none, as an unset variable in a file does.
   */
  readonly token?: string
  /** More of them, by the names that the audit log shows. Default none. */
  readonly tokens?: Readonly<Record<string, string>>
  /**
   * Names besides the usual ones under which clients reach this server, e.g. `faults.example.com`; with a dot before
   * it, `.example.com`, also all names below. Default none. See {@link HostRule}.
   */
  readonly allowedHosts?: readonly string[]
  /** Of one address; beyond that it is answered 429. /healthz and /v1/stop are free. Default 10,000. */
  readonly maxRequestsPerSecond?: number
  /** File that gets a line of JSON for every request that could change something; `-` = stdout. Default none. */
  readonly auditLog?: string
}

/**
 * A suite never meets it: its 100 tests in parallel would each have to send 100 requests a second, which is more than
 * one server answers on most machines (6,000 reads a second were measured, with the client on the same two cores). An
 * attacker or a loop without a pause on a faster one does.
 */
export const DEFAULT_MAX_REQUESTS_PER_SECOND = 10_000

/** What stands in a header as it is: visible ASCII, no spaces (RFC 6750 section 2.1 is narrower still). */
const TOKEN_PATTERN = /^[\u0021-\u007e]+$/
const TOKEN_EXPECTED = 'visible ASCII characters without spaces'

const HOST_PATTERN = /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i

export const securityOptionsSchema = Type.Object({
  token: Type.Optional(
    Type.String({ writeOnly: true, description: 'What clients must present as `Authorization: Bearer`.' }),
  ),
  tokens: Type.Optional(
    Type.Record(Type.String({ minLength: 1 }), Type.String({ minLength: 1 }), {
      writeOnly: true,
      description: 'More tokens, by the names that the audit log shows.',
    }),
  ),
  allowedHosts: Type.Array(Type.String({ minLength: 1 }), {
    default: [],
    description: 'Names under which clients reach this server, besides the usual ones; `.example.com` = all below it.',
  }),
  maxRequestsPerSecond: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: DEFAULT_MAX_REQUESTS_PER_SECOND,
    description: 'Of one address.',
  }),
  auditLog: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'File for a line of JSON per request that could change something; - = stdout.',
    }),
  ),
})

export interface NamedToken {
  readonly name: string
  readonly token: string
}

export interface CheckedSecurityOptions {
  readonly tokens: readonly NamedToken[]
  readonly allowedHosts: readonly string[]
  readonly maxRequestsPerSecond: number
  readonly auditLog: string | undefined
}

/** Whose the one `token` is in the audit log. */
const DEFAULT_TOKEN_NAME = 'default'

/** @throws FaultlineError naming the option; never with a token in its message */
export function checkSecurityOptions(options: SecurityOptions): CheckedSecurityOptions {
  const { allowedHosts, maxRequestsPerSecond, auditLog } = validate(securityOptionsSchema, {
    allowedHosts: options.allowedHosts,
    maxRequestsPerSecond: options.maxRequestsPerSecond,
    ...(options.auditLog !== undefined && { auditLog: options.auditLog }),
  })
  for (const [index, host] of allowedHosts.entries()) {
    if (!HOST_PATTERN.test(host)) throw wrong(`allowedHosts.${index}`, 'a host name without a port')
  }
  return { tokens: checkTokens(options), allowedHosts, maxRequestsPerSecond, auditLog }
}

function checkTokens({ token, tokens = {} }: SecurityOptions): NamedToken[] {
  const checked: NamedToken[] = []
  const add = (field: string, name: string, text: unknown): void => {
    if (typeof text !== 'string' || !TOKEN_PATTERN.test(text)) throw wrong(field, TOKEN_EXPECTED)
    const twin = checked.find((other) => other.token === text)
    // The audit log could not tell them apart.
    if (twin) throw wrong(field, `another token than that of "${twin.name}"`)
    checked.push({ name, token: text })
  }
  if (token !== undefined && token !== '') add('token', DEFAULT_TOKEN_NAME, token)
  for (const [name, text] of Object.entries(tokens)) add(`tokens.${name}`, name, text)
  return checked
}

function wrong(field: string, expected: string): FaultlineError {
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}
