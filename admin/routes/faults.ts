// /v1/proxies/{proxy}/faults and, over all proxies, /v1/faults. Every fault of the registry can be had here.
import type { FastifyInstance } from 'fastify'
import { FaultlineError, type FaultChange, type FaultSpec, type Network } from '../../proxy/index.ts'
import { describeRoute } from '../openapi/operation.ts'
import {
  faultPathSchema,
  proxyFaultPathSchema,
  proxyPathSchema,
  requireFault,
  requireProxy,
  requireProxyFault,
  type FaultPath,
  type FoundFault,
  type ProxyFaultPath,
  type ProxyPath,
} from './paths.ts'
import { viewFault, viewFaults, type FaultView } from './views.ts'

const tag = 'faults'
const added = [400, 404, 409, 422, 423]

/** The data plane validates bodies, so that embedding and API have the same rules and messages. */
export function faultRoutes(app: FastifyInstance, network: Network): void {
  proxyFaultRoutes(app, network)
  allFaultRoutes(app, network)
}

function proxyFaultRoutes(app: FastifyInstance, network: Network): void {
  app.get<{ Params: ProxyPath }>(
    '/proxies/:proxy/faults',
    describeRoute({
      id: 'listProxyFaults',
      tag,
      summary: 'The faults on a proxy',
      params: proxyPathSchema,
      answers: { 200: 'FaultList' },
      errors: [404],
    }),
    (request) => ({ faults: viewFaults(requireProxy(network, request.params.proxy)) }),
  )

  app.post<{ Params: ProxyPath }>(
    '/proxies/:proxy/faults',
    describeRoute({
      id: 'addProxyFault',
      tag,
      summary: 'Adds a fault to a proxy',
      description: 'It acts at once, on live connections, too.',
      params: proxyPathSchema,
      body: 'FaultSpec',
      answers: { 201: 'Fault' },
      errors: added,
    }),
    (request, reply) => {
      const proxy = requireProxy(network, request.params.proxy)
      const fault = proxy.addFault(request.body as FaultSpec)
      const path = `/v1/proxies/${encodeURIComponent(proxy.name)}/faults/${encodeURIComponent(fault.name)}`
      return reply.code(201).header('location', path).send(viewFault(proxy, fault))
    },
  )

  app.get<{ Params: ProxyFaultPath }>(
    '/proxies/:proxy/faults/:fault',
    describeRoute({
      id: 'getProxyFault',
      tag,
      summary: 'One fault on a proxy',
      params: proxyFaultPathSchema,
      answers: { 200: 'Fault' },
      errors: [404],
    }),
    (request) => view(requireProxyFault(network, request.params)),
  )

  app.patch<{ Params: ProxyFaultPath }>(
    '/proxies/:proxy/faults/:fault',
    describeRoute({
      id: 'updateProxyFault',
      tag,
      summary: 'Changes a fault on a proxy',
      description: 'Attributes are merged into the present ones, a match takes the place of the present one.',
      params: proxyFaultPathSchema,
      body: 'FaultChange',
      answers: { 200: 'Fault' },
      errors: [400, 404, 423],
    }),
    (request) => change(requireProxyFault(network, request.params), request.body),
  )

  app.delete<{ Params: ProxyFaultPath }>(
    '/proxies/:proxy/faults/:fault',
    describeRoute({
      id: 'removeProxyFault',
      tag,
      summary: 'Removes a fault from a proxy',
      params: proxyFaultPathSchema,
      answers: { 204: null },
      errors: [404],
    }),
    (request, reply) => {
      remove(requireProxyFault(network, request.params))
      return reply.code(204).send()
    },
  )
}

function allFaultRoutes(app: FastifyInstance, network: Network): void {
  app.get(
    '/faults',
    describeRoute({ id: 'listFaults', tag, summary: 'The faults on all proxies', answers: { 200: 'FaultList' } }),
    () => ({ faults: [...network.proxies].flatMap(viewFaults) }),
  )

  app.post(
    '/faults',
    describeRoute({
      id: 'addFault',
      tag,
      summary: 'Adds a fault to the proxy that the body names',
      body: 'NetworkFaultSpec',
      answers: { 201: 'Fault' },
      errors: added,
    }),
    (request, reply) => {
      const { proxy: name, spec } = takeProxy(request.body)
      const proxy = requireProxy(network, name)
      const fault = proxy.addFault(spec)
      return reply.code(201).header('location', `/v1/faults/${fault.id}`).send(viewFault(proxy, fault))
    },
  )

  app.get<{ Params: FaultPath }>(
    '/faults/:id',
    describeRoute({
      id: 'getFault',
      tag,
      summary: 'One fault',
      params: faultPathSchema,
      answers: { 200: 'Fault' },
      errors: [404],
    }),
    (request) => view(requireFault(network, request.params)),
  )

  app.patch<{ Params: FaultPath }>(
    '/faults/:id',
    describeRoute({
      id: 'updateFault',
      tag,
      summary: 'Changes a fault',
      description: 'Attributes are merged into the present ones, a match takes the place of the present one.',
      params: faultPathSchema,
      body: 'FaultChange',
      answers: { 200: 'Fault' },
      errors: [400, 404, 423],
    }),
    (request) => change(requireFault(network, request.params), request.body),
  )

  app.delete<{ Params: FaultPath }>(
    '/faults/:id',
    describeRoute({
      id: 'removeFault',
      tag,
      summary: 'Removes a fault',
      params: faultPathSchema,
      answers: { 204: null },
      errors: [404],
    }),
    (request, reply) => {
      remove(requireFault(network, request.params))
      return reply.code(204).send()
    },
  )
}

function view({ proxy, fault }: FoundFault): FaultView {
  return viewFault(proxy, fault)
}

function change({ proxy, fault }: FoundFault, body: unknown): FaultView {
  return viewFault(proxy, proxy.updateFault(fault.name, body as FaultChange))
}

function remove({ proxy, fault }: FoundFault): void {
  proxy.removeFault(fault.name)
}

/** What else the body has is for the data plane to check. */
function takeProxy(body: unknown): { proxy: string; spec: FaultSpec } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong('body', 'an object', body)
  const { proxy, ...spec } = body as { proxy?: unknown }
  if (typeof proxy === 'string') return { proxy, spec: spec as FaultSpec }
  throw wrong('proxy', 'the name of a proxy', proxy)
}

function wrong(field: string, expected: string, value: unknown): FaultlineError {
  const isMissing = value === undefined && field !== 'body'
  const problem = isMissing ? 'missing, ' : ''
  return new FaultlineError(isMissing ? 'missing_field' : 'invalid_value', `${field}: ${problem}expected ${expected}`, {
    field,
    expected,
  })
}
