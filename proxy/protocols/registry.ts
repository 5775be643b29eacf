// The one list of protocols. A new one is its folder and a line here.
import { http } from './http/http.ts'
import { postgres } from './postgres/postgres.ts'
import type { Protocol, ProtocolName } from './protocol.ts'
import { tcp } from './tcp.ts'

export const protocols: Readonly<Record<ProtocolName, Protocol>> = { tcp, http, postgres }

export const protocolNames = Object.keys(protocols) as ProtocolName[]
