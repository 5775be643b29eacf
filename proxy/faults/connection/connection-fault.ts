// What a fault of connections is: it decides on a client that has been accepted, or ends connections after a time.
import { isIP, BlockList } from 'node:net'
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { invalidField, type ConnectionFault, type FaultBuilder } from '../fault.ts'

export { Type as Schema } from '@sinclair/typebox'

/**
 * What becomes of a client that has been accepted.
 *
 * - `reset`, `close`: RST or FIN at once; the server is not dialled.
 * - `hold`: nothing happens until the fault is removed; the server is not dialled, nothing is read.
 * - `queue`: as `hold`, until another connection has ended.
 * - `delay`: it goes on after this time; nothing flows before.
 */
export type Admission =
  | { readonly kind: 'reset' | 'close' | 'hold' | 'queue' }
  | { readonly kind: 'delay'; readonly delayMs: number }

/** When a connection is to be ended, and how. */
export interface ConnectionLimit {
  readonly afterMs: number
  /** Counted from the last byte in either direction, not from the beginning. */
  readonly idle: boolean
  readonly how: 'reset' | 'close'
}

/** A fault with its attributes. */
export interface ConnectionRule {
  /** Nobody listens: the kernel refuses. */
  readonly refuses?: boolean
  readonly limit?: ConnectionLimit
  /** @param live connections that there are, without those that wait; undefined = it goes on */
  admit?(live: number): Admission | undefined
}

/** What the proxy runs: a rule and its match. */
export interface CompiledConnectionRule extends ConnectionRule {
  matches(clientAddress: string): boolean
}

export const connectionMatchSchema = Type.Object({
  clientAddress: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
      description: 'IP addresses or networks (10.0.0.0/8) that clients come from.',
    }),
  ),
})

/** @throws FaultlineError for what is no address or network */
export function compileConnectionMatch(
  { clientAddress }: Static<typeof connectionMatchSchema>,
  field: string,
): (address: string) => boolean {
  if (clientAddress === undefined) return () => true
  const list = new BlockList()
  for (const text of [clientAddress].flat()) {
    const [address = '', prefix] = text.split('/')
    const version = isIP(address)
    const bits = prefix === undefined ? undefined : Number(prefix)
    const wrong = bits !== undefined && !(/^\d+$/.test(prefix ?? '') && bits <= (version === 4 ? 32 : 128))
    if (version === 0 || wrong) throw invalidField(field, 'IP addresses or networks such as 10.0.0.0/8', text)
    const family = version === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, bits, family)
  }
  return (address) => {
    // A client of a socket for both families.
    const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
    return list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
  }
}

export interface ConnectionFaultDefinition<Attributes extends object> {
  readonly type: string
  readonly describe: string
  readonly schema: TSchema & { readonly static: Attributes }
  create(attributes: Attributes): ConnectionRule
}

/** Defines a fault of connections: all protocols over TCP carry it. */
export function defineConnectionFault<Attributes extends object>(
  definition: ConnectionFaultDefinition<Attributes>,
): ConnectionFault & FaultBuilder<Attributes> {
  const { type, describe, schema } = definition
  const fault: ConnectionFault = {
    type,
    layer: 'connection',
    describe,
    schema,
    matchSchema: connectionMatchSchema,
    compile({ attributes, match, chooses }, environment) {
      const made = definition.create(attributes as Attributes)
      if (made.refuses === true && (chooses || Object.keys(match).length > 0)) {
        const expected = 'no match, probability, skip, times or every: a listener is closed for all'
        throw invalidField(environment.field('type'), expected, type)
      }
      const matches = compileConnectionMatch(match, environment.field('match.clientAddress'))
      const rule: CompiledConnectionRule = { ...made, matches }
      return rule
    },
  }
  const build: FaultBuilder<Attributes> = (attributes = {}) => ({ type, attributes })
  return Object.assign(build, fault)
}
