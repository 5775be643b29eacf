// Paths that users of other chaos tools know, each for one of ours: the same method, body, answer and guards. What is behind
// `$1` is the id in the path.
import type { IncomingMessage } from 'node:http'

const aliases: readonly (readonly [pattern: RegExp, path: string])[] = [
  [/^\/experiments((?:\/[^/?]+){0,2})$/, '/v1/experiments$1'],
  [/^\/faults$/, '/v1/faults'],
  [/^\/scenarios((?:\/[^/?]+)?)$/, '/v1/scenarios$1'],
  [/^\/status$/, '/v1/status'],
  [/^\/health$/, '/healthz'],
  [/^\/emergency-stop$/, '/v1/stop'],
  [/^\/ws$/, '/v1/events'],
  [/^\/api\/chaos\/scenarios\/([^/?]+)\/stop$/, '/v1/experiments/$1/stop'],
  [/^\/api\/chaos\/emergency-stop$/, '/v1/stop'],
  [/^\/api\/monitoring\/metrics$/, '/metrics'],
  [/^\/api\/recovery\/validate\/([^/?]+)$/, '/v1/recovery/$1'],
]

/** There a scenario is listed by GET, and started by POST. */
const SCENARIOS = '/api/chaos/scenarios'

/** The URL that a request is for; for Fastify's `rewriteUrl`. */
export function withoutAlias({ method, url = '/' }: Pick<IncomingMessage, 'method' | 'url'>): string {
  // Nearly every request is for one of these.
  if (url.startsWith('/v1/') || url.startsWith('/proxies')) return url
  const [path, query] = splitQuery(url)
  if (path === SCENARIOS) return method === 'POST' ? '/v1/experiments?start=true' : '/v1/scenarios'
  for (const [pattern, target] of aliases) {
    if (pattern.test(path)) return path.replace(pattern, target) + (query === undefined ? '' : `?${query}`)
  }
  return url
}

function splitQuery(url: string): readonly [path: string, query?: string] {
  const mark = url.indexOf('?')
  return mark < 0 ? [url] : [url.slice(0, mark), url.slice(mark + 1)]
}
