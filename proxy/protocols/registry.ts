// The one list of protocols. A new one is its folder and a line here.
import type { Transport } from '../faults/fault.ts'
import { http } from './http/http.ts'
import { postgres } from './postgres/postgres.ts'
import type { Protocol, ProtocolName, ProtocolOptions } from './protocol.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'

export const protocols: Readonly<Record<ProtocolName, Protocol>> = { tcp, http, postgres, udp }

export const protocolNames = Object.keys(protocols) as ProtocolName[]

export function transportOf(protocol: ProtocolName): Transport {
  return protocols[protocol].transport ?? 'tcp'
}

/** Options that may be set and not be read (JSON Schema: writeOnly) are known to sessions only. */
export function withoutSecrets(protocol: ProtocolName, options: ProtocolOptions): ProtocolOptions {
  const schemas = protocols[protocol].options
  return Object.fromEntries(Object.entries(options).filter(([name]) => schemas[name]?.['writeOnly'] !== true))
}
