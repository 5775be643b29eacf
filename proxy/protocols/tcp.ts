// Plain TCP: bytes pass, whatever they mean.
import type { Protocol } from './protocol.ts'

export const tcp: Protocol = { name: 'tcp', options: {} }
