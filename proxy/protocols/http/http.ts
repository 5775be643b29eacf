// `protocol: http`: HTTP/1.x and, behind an upgrade, WebSocket.
import { Type } from '@sinclair/typebox'
import { busyPollMicros } from '../../busy-poll.ts'
import type { Protocol } from '../protocol.ts'
import { HttpSession, type HttpOptions } from './session.ts'

export const http: Protocol = {
  name: 'http',
  options: {
    busyPollMicros: Type.Optional(busyPollMicros()),
    strict: Type.Boolean({
      default: false,
      description: 'Answers 400 to what can not be understood, instead of passing it on as it is.',
    }),
    headerFaults: Type.Boolean({
      default: false,
      description: "Obeys Envoy's fault headers in requests (x-envoy-fault-abort-request and so on).",
    }),
  },
  createSession: (host, options) => new HttpSession(host, options as HttpOptions),
}
