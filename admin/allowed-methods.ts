// Which methods a path has, for the answer to one that it does not have (RFC 9110 section 15.5.6).
import type { FastifyInstance } from 'fastify'

/** Watches the routes that are added to `app` from now on; the function that it returns looks up a URL. */
export function watchMethods(app: FastifyInstance): (url: string) => readonly string[] {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ pattern: toPattern(url), methods: [method].flat() })
  })
  return (url) => {
    const path = url.split('?')[0] ?? ''
    const methods = routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods)
    return [...new Set(methods)].toSorted()
  }
}

/** `/v1/proxies/:proxy` matches whatever has no slash in the place of the name. */
function toPattern(route: string): RegExp {
  const parts = route
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)))
  return new RegExp(`^${parts.join('/')}$`)
}
