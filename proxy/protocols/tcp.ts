// Plain TCP: bytes pass, whatever they mean.
import { Type } from '@sinclair/typebox'
import { busyPollMicros } from '../busy-poll.ts'
import type { Protocol } from './protocol.ts'

export const tcp: Protocol = { name: 'tcp', options: { busyPollMicros: Type.Optional(busyPollMicros()) } }
