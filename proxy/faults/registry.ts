// The one list of faults. A new fault is its file and a line here.
import { bandwidth } from './bandwidth.ts'
import { blackhole } from './blackhole.ts'
import { corrupt } from './corrupt.ts'
import { closeOnAccept } from './connection/close-on-accept.ts'
import { connectDelay } from './connection/connect-delay.ts'
import { hangOnAccept } from './connection/hang-on-accept.ts'
import { idleTimeout } from './connection/idle-timeout.ts'
import { maxConnections } from './connection/max-connections.ts'
import { maxLifetime } from './connection/max-lifetime.ts'
import { refuse } from './connection/refuse.ts'
import { resetOnAccept } from './connection/reset-on-accept.ts'
import { bandwidth as datagramBandwidth } from './datagram/bandwidth.ts'
import { corrupt as datagramCorrupt } from './datagram/corrupt.ts'
import { drop } from './datagram/drop.ts'
import { duplicate } from './datagram/duplicate.ts'
import { latency as datagramLatency } from './datagram/latency.ts'
import { refuse as datagramRefuse } from './datagram/refuse.ts'
import { reorder } from './datagram/reorder.ts'
import type { FaultDefinition, Transport } from './fault.ts'
import { halfOpen } from './half-open.ts'
import { httpAbort } from './http/abort.ts'
import { httpCorrupt } from './http/corrupt.ts'
import { httpDelay } from './http/delay.ts'
import { httpDuplicate } from './http/duplicate.ts'
import { httpHang } from './http/hang.ts'
import { httpHeaders } from './http/headers.ts'
import { httpKeepaliveKill } from './http/keepalive-kill.ts'
import { httpMalformed } from './http/malformed.ts'
import { httpRateLimit } from './http/rate-limit.ts'
import { httpReset } from './http/reset.ts'
import { httpSlowBody } from './http/slow-body.ts'
import { httpSlowHeaders } from './http/slow-headers.ts'
import { httpStatus } from './http/status.ts'
import { httpTruncate } from './http/truncate.ts'
import { latency } from './latency.ts'
import { limitData } from './limit-data.ts'
import { noop } from './noop.ts'
import { packetLoss } from './packet-loss.ts'
import { pgCommitLost } from './postgres/commit-lost.ts'
import { pgConnectError } from './postgres/connect-error.ts'
import { pgDelay } from './postgres/delay.ts'
import { pgError } from './postgres/error.ts'
import { pgHalfOpen } from './postgres/half-open.ts'
import { pgPooler } from './postgres/pooler.ts'
import { pgReadOnly } from './postgres/read-only.ts'
import { pgTerminate } from './postgres/terminate.ts'
import { pgThrottle } from './postgres/throttle.ts'
import { pgTruncate } from './postgres/truncate.ts'
import { resetPeer } from './reset-peer.ts'
import { slicer } from './slicer.ts'
import { slowClose } from './slow-close.ts'
import { sseDrop } from './sse/drop.ts'
import { sseStall } from './sse/stall.ts'
import { stall } from './stall.ts'
import { timeout } from './timeout.ts'
import { websocketClose } from './websocket/close.ts'
import { websocketCorrupt } from './websocket/corrupt.ts'
import { websocketDelay } from './websocket/delay.ts'
import { websocketDrop } from './websocket/drop.ts'
import { websocketStall } from './websocket/stall.ts'

export const faults = {
  latency,
  bandwidth,
  slowClose,
  timeout,
  resetPeer,
  slicer,
  limitData,
  noop,
  packetLoss,
  corrupt,
  blackhole,
  stall,
  halfOpen,
  refuse,
  resetOnAccept,
  closeOnAccept,
  hangOnAccept,
  connectDelay,
  maxConnections,
  maxLifetime,
  idleTimeout,
  httpDelay,
  httpAbort,
  httpRateLimit,
  httpReset,
  httpHang,
  httpSlowHeaders,
  httpSlowBody,
  httpTruncate,
  httpCorrupt,
  httpMalformed,
  httpHeaders,
  httpStatus,
  httpDuplicate,
  httpKeepaliveKill,
  websocketDelay,
  websocketDrop,
  websocketClose,
  websocketStall,
  websocketCorrupt,
  sseStall,
  sseDrop,
  pgError,
  pgDelay,
  pgTerminate,
  pgConnectError,
  pgCommitLost,
  pgTruncate,
  pgReadOnly,
  pgHalfOpen,
  pgThrottle,
  pgPooler,
}

/** What goes wrong with datagrams. Where a stream has the same trouble, the type has the same name. */
export const datagramFaults = {
  latency: datagramLatency,
  bandwidth: datagramBandwidth,
  corrupt: datagramCorrupt,
  drop,
  duplicate,
  reorder,
  refuse: datagramRefuse,
}

const byType: Readonly<Record<Transport, ReadonlyMap<string, FaultDefinition>>> = {
  tcp: indexed(Object.values(faults)),
  udp: indexed(Object.values(datagramFaults)),
}

function indexed(definitions: readonly { readonly type: string }[]): Map<string, FaultDefinition> {
  return new Map(definitions.map((fault) => [fault.type, fault as FaultDefinition]))
}

/** The definition of a fault type, if proxies of this transport have one. */
export function findFaultDefinition(type: string, transport: Transport = 'tcp'): FaultDefinition | undefined {
  return byType[transport].get(type)
}

export function faultTypes(transport: Transport = 'tcp'): string[] {
  return [...byType[transport].keys()]
}
