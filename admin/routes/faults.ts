// /v1/proxies/{proxy}/faults: create, read, change, remove. Every fault of the registry can be had here.
import type { FastifyInstance } from 'fastify'
import type { FaultChange, FaultSpec, Network } from '../../proxy/index.ts'
import { requireFault, requireProxy, type FaultPath, type ProxyPath } from './lookup.ts'
import { viewFault } from './views.ts'

export function faultRoutes(app: FastifyInstance, network: Network): void {
  app.get<{ Params: ProxyPath }>('/proxies/:proxy/faults', (request) => ({
    faults: [...requireProxy(network, request.params).faults].map(viewFault),
  }))

  app.post<{ Params: ProxyPath }>('/proxies/:proxy/faults', (request, reply) => {
    const proxy = requireProxy(network, request.params)
    const fault = proxy.addFault(request.body as FaultSpec)
    const path = `/v1/proxies/${encodeURIComponent(proxy.name)}/faults/${encodeURIComponent(fault.name)}`
    return reply.code(201).header('location', path).send(viewFault(fault))
  })

  app.get<{ Params: FaultPath }>('/proxies/:proxy/faults/:fault', (request) =>
    viewFault(requireFault(network, request.params).fault),
  )

  app.patch<{ Params: FaultPath }>('/proxies/:proxy/faults/:fault', (request) => {
    const { proxy, fault } = requireFault(network, request.params)
    return viewFault(proxy.updateFault(fault.name, request.body as FaultChange))
  })

  app.delete<{ Params: FaultPath }>('/proxies/:proxy/faults/:fault', (request, reply) => {
    const { proxy, fault } = requireFault(network, request.params)
    proxy.removeFault(fault.name)
    return reply.code(204).send()
  })
}
