// What our own API shows of proxies and faults, each with its schema.
import { Type, type Static } from '@sinclair/typebox'
import type { Clock, FaultProxy, InstalledFault } from '../../proxy/index.ts'
import { protocolNames } from '../../proxy/index.ts'

const traffic = Type.Object({
  receivedBytes: Type.Integer({ description: "Read from the direction's source." }),
  sentBytes: Type.Integer({ description: "Written to the direction's destination." }),
})

export const trafficSchema = Type.Object(
  { upstream: traffic, downstream: traffic },
  { description: 'Bytes in either direction.' },
)

/** Only these: what counts them has more to it. */
export function viewTraffic({ upstream, downstream }: FaultProxy['traffic']): Static<typeof trafficSchema> {
  return {
    upstream: { receivedBytes: upstream.receivedBytes, sentBytes: upstream.sentBytes },
    downstream: { receivedBytes: downstream.receivedBytes, sentBytes: downstream.sentBytes },
  }
}

const object = { additionalProperties: true }

export const faultSchema = Type.Object({
  id: Type.String({ description: 'Unique in the network.' }),
  proxy: Type.String({ description: 'The proxy that it is on.' }),
  name: Type.String({ description: 'Unique on its proxy.' }),
  type: Type.String(),
  layer: Type.Union(['stream', 'message', 'connection', 'datagram'].map((layer) => Type.Literal(layer))),
  direction: Type.Union(['upstream', 'downstream', 'both'].map((direction) => Type.Literal(direction))),
  enabled: Type.Boolean({ description: 'Whether it acts.' }),
  probability: Type.Number(),
  attributes: Type.Object({}, object),
  match: Type.Object({}, object),
  skip: Type.Integer(),
  times: Type.Union([Type.Integer(), Type.Null()], { description: 'null: without end.' }),
  every: Type.Integer(),
  key: Type.Union([Type.String(), Type.Null()], { description: 'What counts are kept for each value of.' }),
  ttlMs: Type.Union([Type.Integer(), Type.Null()], { description: 'Its time to live; null: until it is removed.' }),
  remainingMs: Type.Union([Type.Integer(), Type.Null()], { description: 'What is left of that.' }),
  lease: Type.Union([Type.String(), Type.Null()], { description: 'The id of the lease that it ends with.' }),
  injections: Type.Integer({ description: 'Acts so far.' }),
})

export type FaultView = Static<typeof faultSchema>

export const faultListSchema = Type.Object({ faults: Type.Array(faultSchema) })

export function viewFault(proxy: FaultProxy, fault: InstalledFault): FaultView {
  const { id, name, type, definition, direction, enabled, probability, attributes, match, injections } = fault
  const { skip, times = null, every, key = null, ttlMs = null, lease = null } = fault
  const { layer } = definition
  const remainingMs = viewRemaining(proxy.clock, fault.expiresMs)
  const counts = { skip, times, every, key }
  const settings = { enabled, probability, attributes, match, ...counts }
  return { id, proxy: proxy.name, name, type, layer, direction, ...settings, ttlMs, remainingMs, lease, injections }
}

export function viewFaults(proxy: FaultProxy): FaultView[] {
  return [...proxy.faults].map((fault) => viewFault(proxy, fault))
}

/** What is left until then, in whole milliseconds; null if there is no end. */
export function viewRemaining(clock: Clock, endsMs: number | undefined): number | null {
  return endsMs === undefined ? null : Math.max(0, Math.ceil(endsMs - clock.now()))
}

/** The options of protocols come on top, as fields of their own. */
export const proxySchema = Type.Object({
  name: Type.String(),
  protocol: Type.Union(protocolNames.map((protocol) => Type.Literal(protocol))),
  listen: Type.String({ description: 'Where it listens; once started with the port that it got.' }),
  upstream: Type.String(),
  enabled: Type.Boolean(),
  from: Type.Optional(Type.String({ description: 'The service whose clients use it.' })),
  to: Type.Optional(Type.String({ description: 'The service that it leads to.' })),
  seed: Type.Integer({ description: 'Decides its random choices.' }),
  seedName: Type.String({ description: 'What they are drawn by beside the seed.' }),
  lease: Type.Union([Type.String(), Type.Null()], { description: 'The id of the lease that it ends with.' }),
  faults: Type.Array(faultSchema),
  connections: Type.Integer({ description: 'Live ones.' }),
  counters: Type.Object(
    {
      acceptedConnections: Type.Integer(),
      failedDials: Type.Integer({ description: 'Connections whose upstream could not be reached.' }),
      failedAccepts: Type.Integer({ description: 'Connections that could not be accepted.' }),
      heldLimitsReached: Type.Integer({ description: 'How often a fault held as much as it may.' }),
      opaqueConnections: Type.Integer({ description: 'Connections whose bytes could not be understood.' }),
    },
    { description: 'Since it was created.' },
  ),
  traffic: trafficSchema,
  lastError: Type.Union([Type.String(), Type.Null()], { description: 'The latest failure of a dial or accept.' }),
})

export type ProxyView = Static<typeof proxySchema>

export function viewProxy(proxy: FaultProxy): ProxyView {
  const { name, protocol, protocolOptions, from, to, listen, upstream, enabled, counters, lastError } = proxy
  return {
    name,
    protocol,
    ...protocolOptions,
    listen,
    upstream,
    enabled,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    seed: proxy.seed,
    seedName: proxy.seedName,
    lease: proxy.lease ?? null,
    faults: viewFaults(proxy),
    connections: proxy.connections.size,
    counters,
    traffic: viewTraffic(proxy.traffic),
    lastError: lastError?.message ?? null,
  }
}
