// The audit log: who did what, when, and with which result. One line of JSON per request that could change something.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AuditFile } from './audit-file.ts'
import { callerOf } from './auth.ts'
import { loggedPath } from './logged-path.ts'

/** Methods that change nothing. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What of a body tells what it is about. Nothing else of it is logged: it may have keys of certificates. */
const TARGET_FIELDS = ['proxy', 'name', 'type', 'id'] as const

/** Larger text is not parsed a second time for its names. */
const MAX_PARSED_CHARACTERS = 64 * 1024
const MAX_FIELD_CHARACTERS = 200
/** Of a list of proxies. */
const MAX_TARGETS = 100

interface AuditEntry {
  /** Tells these lines from the server's log where both go to stdout. */
  readonly log: 'audit'
  readonly time: string
  /** The same as in the server's log and in `X-Toxiproxy-Request-Id`. */
  readonly requestId: string
  readonly client: { readonly address: string; /** Its name. */ readonly token: string | null }
  readonly method: string
  readonly path: string
  /** The pattern that the path matched, e.g. `/v1/proxies/:proxy`; null if none did. */
  readonly route: string | null
  /** What the path and the body name. */
  readonly target: unknown
  readonly status: number
  /** Where to find what was created: it may have got its name by the server. */
  readonly created?: string
}

/**
 * Also logs what was refused, for lack of a token or for any other reason. A log that can't be written any more does
 * not stop the server: that is an error in the server's own log, and the number of lost lines in the audit log.
 *
 * @param path `-` = stdout
 * @throws FaultlineError `invalid_value` if the file can't be opened
 */
export async function auditRequests(app: FastifyInstance, path: string | undefined): Promise<void> {
  if (path === undefined) return
  const file = await AuditFile.open(path, (err) => app.log.error({ err, path }, 'the audit log can not be written'))
  const logged = new WeakSet<FastifyRequest>()
  // Not onResponse: that hook is left out for a client which does not wait for the answer.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (!SAFE_METHODS.has(request.method) && !logged.has(request)) {
      logged.add(request)
      file.add(JSON.stringify(toEntry(request, reply)))
    }
    done(null, payload)
  })
  app.addHook('onClose', () => file.close())
}

function toEntry(request: FastifyRequest, reply: FastifyReply): AuditEntry {
  const created = reply.getHeader('location')
  return {
    log: 'audit',
    time: new Date().toISOString(),
    requestId: request.id,
    client: { address: request.ip, token: callerOf(request) },
    method: request.method,
    path: loggedPath(request.url),
    route: request.routeOptions.url ?? null,
    target: targetOf(request),
    status: reply.statusCode,
    ...(typeof created === 'string' && { created }),
  }
}

function targetOf({ params, body }: FastifyRequest): unknown {
  const parsed = typeof body === 'string' ? parseText(body) : body
  if (Array.isArray(parsed)) return parsed.slice(0, MAX_TARGETS).map(namesIn)
  return { ...namesIn(parsed), ...(params as object) }
}

function namesIn(value: unknown): Record<string, string> {
  const names: Record<string, string> = {}
  if (typeof value !== 'object' || value === null) return names
  for (const field of TARGET_FIELDS) {
    const name = (value as Record<string, unknown>)[field]
    if (typeof name === 'string') names[field] = name.slice(0, MAX_FIELD_CHARACTERS)
  }
  return names
}

/** Bodies of Toxiproxy's API come as text. */
function parseText(text: string): unknown {
  if (text.length > MAX_PARSED_CHARACTERS) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
