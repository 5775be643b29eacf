// Keeps web pages from driving the API through the browser of somebody who may.
import { isIP, isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { HEALTH_PATH } from './auth.ts'
import { Refusal } from './refusal.ts'

export interface HostRule {
  /** Whether the server can be reached from this machine only. */
  readonly loopback: boolean
  /** Whether clients must present a token. */
  readonly token: boolean
  /** Host names, or `.suffix` for all names that end so. */
  readonly allowedHosts: readonly string[]
}

/** How containers call the machine they run on, which may have passed that on to its loopback address. */
const CONTAINER_HOST_NAMES = new Set([
  'host.docker.internal', // Docker Desktop
  'host.containers.internal', // Podman
  'host.lima.internal', // Lima, Colima
  'host.testcontainers.internal', // Testcontainers
])

/**
 * No name below these can be bought, so no page on the web is served under one: `internal` is reserved for private use
 * by ICANN, `local` by RFC 6762 (`cluster.local` of Kubernetes is below it), `svc` is Kubernetes' short form.
 */
const PRIVATE_SUFFIXES = ['.internal', '.local', '.svc']

/**
 * Whether a client may call the server by this name. A page of evil.example that has its name resolved to our address
 * (DNS rebinding) is of our origin to the browser, but its requests say `Host: evil.example`.
 *
 * Always right are:
 * - IP literals: what is reached by one has not been looked up. Kubernetes probes, load balancers and Prometheus send
 *   the pod's address.
 * - localhost and names below it, which never leave the machine (RFC 6761 section 6.3).
 * - the names that containers have for the machine they run on.
 * - `allowedHosts`.
 * - none at all: HTTP/1.0, e.g. of HAProxy's checks; browsers always send one.
 *
 * Bound to other addresses than loopback, also:
 * - names of one label, which docker-compose services, Kubernetes services of one namespace and machines in a local
 *   network have, and no site on the web. Not on loopback: there nobody needs them, and the network that a laptop is
 *   in can make up such names.
 * - names below {@link PRIVATE_SUFFIXES}, and the machine's own name.
 * - with a token, any name: the browser of a victim does not have it.
 */
export function isAllowedHost(header: string | undefined, rule: HostRule): boolean {
  if (header === undefined) return true
  const name = hostName(header)
  if (name === undefined) return false
  if (isIP(name) > 0 || name === 'localhost' || name.endsWith('.localhost')) return true
  if (CONTAINER_HOST_NAMES.has(name) || isListed(name, rule.allowedHosts)) return true
  if (rule.loopback) return false
  if (rule.token || !name.includes('.')) return true
  return name === hostname().toLowerCase() || PRIVATE_SUFFIXES.some((suffix) => name.endsWith(suffix))
}

/**
 * Whether a page of this origin may call: one of the server itself, or of an allowed host. Programs send no Origin.
 * `null`, the origin of sandboxed pages and files, may not.
 */
export function isAllowedOrigin(origin: string | undefined, host: string | undefined, rule: HostRule): boolean {
  if (origin === undefined) return true
  if (!URL.canParse(origin)) return false
  const { protocol, host: originHost, hostname: originName } = new URL(origin)
  if (protocol !== 'http:' && protocol !== 'https:') return false
  // Parsed with the origin's scheme, so that its default port may be there or not.
  const own = `${protocol}//${host ?? ''}`
  if (URL.canParse(own) && new URL(own).host === originHost) return true
  return isListed(originName, rule.allowedHosts)
}

/** Answers 403 where Host or Origin is wrong. /healthz is exempt of Host: probes may be told to send any. */
export function guardOrigins(app: FastifyInstance, rule: HostRule): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { host, origin } = request.headers
    const isProbe = request.routeOptions.url === HEALTH_PATH
    if (!isProbe && !isAllowedHost(host, rule)) return done(wrongHost(host))
    if (!isAllowedOrigin(origin, host, rule)) return done(wrongOrigin(origin))
    return done()
  })
}

function isListed(name: string, allowedHosts: readonly string[]): boolean {
  return allowedHosts.some((entry) => {
    const allowed = entry.toLowerCase()
    return allowed.startsWith('.') ? name === allowed.slice(1) || name.endsWith(allowed) : name === allowed
  })
}

/** `Name:8474` is `name`, `[::1]:8474` is `::1`, `name.` is `name`; undefined if it is none of them. */
function hostName(header: string): string | undefined {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(header)?.[1]
  if (bracketed !== undefined) return isIPv6(bracketed) ? bracketed : undefined
  return /^([a-z0-9_.-]+?)\.?(?::\d*)?$/i.exec(header)?.[1]?.toLowerCase()
}

function wrongHost(host: string | undefined): Refusal {
  const expected = 'an IP address, localhost, or a name of allowedHosts'
  return new Refusal(403, 'host_not_allowed', `host: expected ${expected}, got ${quote(host)}`, {
    field: 'host',
    expected,
  })
}

function wrongOrigin(origin: string | undefined): Refusal {
  const expected = 'none, that of this server, or one of allowedHosts'
  return new Refusal(403, 'origin_not_allowed', `origin: expected ${expected}, got ${quote(origin)}`, {
    field: 'origin',
    expected,
  })
}

/** Long ones are cut: an answer is no mirror. */
function quote(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 100))
}
