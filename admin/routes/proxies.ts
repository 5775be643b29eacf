// /v1/proxies: create, read, change, remove.
import type { FastifyInstance } from 'fastify'
import type { Network, ProxyChange, ProxySpec } from '../../proxy/index.ts'
import { requireProxy, type ProxyPath } from './lookup.ts'
import { viewProxy } from './views.ts'

export function proxyRoutes(app: FastifyInstance, network: Network): void {
  app.get('/proxies', () => ({ proxies: [...network.proxies].map(viewProxy) }))

  // The data plane validates bodies, so that embedding and API have the same rules and messages.
  app.post('/proxies', async (request, reply) => {
    const proxy = await network.createProxy(request.body as ProxySpec)
    return reply
      .code(201)
      .header('location', `/v1/proxies/${encodeURIComponent(proxy.name)}`)
      .send(viewProxy(proxy))
  })

  app.get<{ Params: ProxyPath }>('/proxies/:proxy', (request) => viewProxy(requireProxy(network, request.params)))

  app.patch<{ Params: ProxyPath }>('/proxies/:proxy', async (request) => {
    const proxy = requireProxy(network, request.params)
    await proxy.update(request.body as ProxyChange)
    return viewProxy(proxy)
  })

  app.delete<{ Params: ProxyPath }>('/proxies/:proxy', async (request, reply) => {
    await network.removeProxy(request.params.proxy)
    return reply.code(204).send()
  })
}
