import { Type } from '@sinclair/typebox'
import type { Protocol } from '../../../proxy/protocols/protocol.ts'

export const redis = {
  name: 'redis',
  // Fields of a proxy's spec that only this protocol has, each with its default.
  options: { strict: Type.Boolean({ default: false, description: 'Closes connections that speak something else.' }) },
  // Without createSession bytes just pass: stream faults work, message faults have nothing to act on yet.
} satisfies Omit<Protocol, 'name'> & { readonly name: string }
