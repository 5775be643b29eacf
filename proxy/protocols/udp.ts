// `protocol: udp`: datagrams pass, whatever they mean. Each client, told by address and port, has a session.
import { Type } from '@sinclair/typebox'
import type { Protocol } from './protocol.ts'

export interface UdpOptions {
  readonly idleTimeoutMs: number
  readonly maxSessions: number
}

const DAY_MS = 86_400_000

export const udp: Protocol = {
  name: 'udp',
  transport: 'udp',
  options: {
    idleTimeoutMs: Type.Integer({
      default: 60_000,
      minimum: 1,
      maximum: DAY_MS,
      description: "A client's session ends after so many milliseconds without a packet either way.",
    }),
    maxSessions: Type.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 60_000, // each has a port of its own
      description: 'Sessions at a time; for one more, the one without a packet for longest ends.',
    }),
  },
}
