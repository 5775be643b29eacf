// Who may use the API: those who present one of its tokens (RFC 6750).
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { NamedToken } from './options.ts'
import { Refusal } from './refusal.ts'

/** Needs no token: probes have none, and all it tells is that the server runs. */
export const HEALTH_PATH = '/healthz'

const callers = new WeakMap<FastifyRequest, string>()

/** The name of the token that a request came with; null without one. */
export function callerOf(request: FastifyRequest): string | null {
  return callers.get(request) ?? null
}

/** Answers 401 on every path but /healthz, also those that do not exist, unless a request presents a token. */
export function requireToken(app: FastifyInstance, tokens: readonly NamedToken[]): void {
  if (tokens.length === 0) return
  const known = tokens.map(({ name, token }) => ({ name, digest: digest(token) }))
  app.addHook('onRequest', (request, reply, done) => {
    const given = bearerToken(request.headers.authorization)
    const name = given === undefined ? undefined : findName(known, given)
    if (name !== undefined) callers.set(request, name)
    else if (request.routeOptions.url !== HEALTH_PATH) {
      // RFC 6750 section 3: no error code if there was no token at all.
      const error = given === undefined ? '' : ', error="invalid_token"'
      reply.header('www-authenticate', `Bearer realm="faultline"${error}`)
      return done(unauthorized(given !== undefined))
    }
    return done()
  })
}

interface KnownToken {
  readonly name: string
  readonly digest: Buffer
}

/** Compares with all of them, in a time that tells nothing about the tokens: not even their length. */
function findName(known: readonly KnownToken[], given: string): string | undefined {
  const givenDigest = digest(given)
  let found: string | undefined
  for (const { name, digest: knownDigest } of known) if (timingSafeEqual(knownDigest, givenDigest)) found = name
  return found
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** The scheme's name is case-insensitive (RFC 9110 section 11.1). */
function bearerToken(authorization: string | undefined): string | undefined {
  return /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

/** Does not repeat what was presented: it may be a good token of another server. */
function unauthorized(isWrong: boolean): Refusal {
  const expected = '"Bearer" and a token of this server'
  const got = isWrong ? 'a token that it does not know' : 'none'
  const hint = 'a token in the URL is not read, as URLs end up in logs'
  return new Refusal(401, 'unauthorized', `authorization: expected ${expected}, got ${got}; ${hint}`, {
    field: 'authorization',
    expected,
  })
}
