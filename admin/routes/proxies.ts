// /v1/proxies: create, read, change, remove.
import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { parseAddress } from '../../proxy/address.ts'
import type { Network, ProxyChange, ProxySpec } from '../../proxy/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import { proxyPathSchema, requireProxy, type ProxyPath } from './paths.ts'
import { proxySchema, viewProxy } from './views.ts'

const tag = 'proxies'
const params = proxyPathSchema

export const proxyListSchema = Type.Object({ proxies: Type.Array(proxySchema) })

export function proxyRoutes(app: FastifyInstance, network: Network): void {
  app.get(
    '/proxies',
    describeRoute({ id: 'listProxies', tag, summary: 'All proxies', answers: { 200: 'ProxyList' } }),
    () => ({ proxies: [...network.proxies].map(viewProxy) }),
  )

  // The data plane validates bodies, so that embedding and API have the same rules and messages.
  app.post(
    '/proxies',
    describeRoute({
      id: 'createProxy',
      tag,
      summary: 'Creates a proxy, with its faults',
      body: 'ProxySpec',
      answers: { 201: 'Proxy' },
      errors: [400, 404, 409, 422, 423],
    }),
    async (request, reply) => {
      checkUpstream(request.body)
      const proxy = await network.createProxy(request.body as ProxySpec)
      return reply
        .code(201)
        .header('location', `/v1/proxies/${encodeURIComponent(proxy.name)}`)
        .send(viewProxy(proxy))
    },
  )

  app.get<{ Params: ProxyPath }>(
    '/proxies/:proxy',
    describeRoute({
      id: 'getProxy',
      tag,
      summary: 'One proxy',
      params,
      answers: { 200: 'Proxy' },
      errors: [404],
    }),
    (request) => viewProxy(requireProxy(network, request.params.proxy)),
  )

  app.patch<{ Params: ProxyPath }>(
    '/proxies/:proxy',
    describeRoute({
      id: 'updateProxy',
      tag,
      summary: 'Changes its addresses, enables or disables it',
      description: 'A changed address restarts the proxy and ends its connections.',
      params,
      body: 'ProxyChange',
      answers: { 200: 'Proxy' },
      errors: [400, 404, 409],
    }),
    async (request) => {
      const proxy = requireProxy(network, request.params.proxy)
      checkUpstream(request.body)
      await proxy.update(request.body as ProxyChange)
      return viewProxy(proxy)
    },
  )

  app.delete<{ Params: ProxyPath }>(
    '/proxies/:proxy',
    describeRoute({
      id: 'removeProxy',
      tag,
      summary: 'Ends its connections and removes it',
      params,
      answers: { 204: null },
      errors: [404],
    }),
    async (request, reply) => {
      await network.removeProxy(request.params.proxy)
      return reply.code(204).send()
    },
  )
}

/** Toxiproxy's API takes any upstream; here one that can't be an address is a mistake. All else the data plane checks. */
function checkUpstream(body: unknown): void {
  const upstream = (body as { readonly upstream?: unknown } | null | undefined)?.upstream
  if (typeof upstream === 'string' && upstream !== '') parseAddress(upstream, 'upstream')
}
