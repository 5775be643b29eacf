// Which connections a fault is for.
import { BlockList, isIP } from 'node:net'
import { Type, type Static } from '@sinclair/typebox'
import { invalidField } from './faults/fault.ts'

/** What is known of a connection before a byte has come. */
export interface ConnectionFacts {
  /** The client's IP address. */
  readonly clientAddress: string
  /** The port that the client has connected to. */
  readonly localPort: number
  /** Counts up from 1 on its proxy. */
  readonly number: number
}

/** What connections are chosen by. */
export interface ConnectionMatcher {
  matches(connection: ConnectionFacts): boolean
}

const connectionNumber = Type.Integer({ minimum: 1 })

export const connectionMatchSchema = Type.Object({
  clientAddress: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
      description: 'IP addresses or networks (10.0.0.0/8) that clients come from.',
    }),
  ),
  connection: Type.Optional(
    Type.Union([connectionNumber, Type.Array(connectionNumber, { minItems: 1 })], {
      description: 'Numbers of connections, which count up from 1 on their proxy.',
    }),
  ),
  localPort: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65_535, description: 'The port that clients have connected to.' }),
  ),
})

/**
 * @param field the full name of the match, for messages
 * @throws FaultlineError for what is no address or network
 */
export function compileConnectionMatch(
  { clientAddress, connection, localPort }: Static<typeof connectionMatchSchema>,
  field: string,
): ConnectionMatcher {
  const fromThere = clientAddress === undefined ? undefined : addresses([clientAddress].flat(), field)
  const numbers = connection === undefined ? undefined : new Set([connection].flat())
  return {
    matches: (facts) =>
      (localPort === undefined || facts.localPort === localPort) &&
      (numbers === undefined || numbers.has(facts.number)) &&
      (fromThere === undefined || fromThere(facts.clientAddress)),
  }
}

function addresses(texts: readonly string[], field: string): (address: string) => boolean {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', prefix] = text.split('/')
    const version = isIP(address)
    const bits = prefix === undefined ? undefined : Number(prefix)
    const wrong = bits !== undefined && !(/^\d+$/.test(prefix ?? '') && bits <= (version === 4 ? 32 : 128))
    if (version === 0 || wrong) {
      throw invalidField(`${field}.clientAddress`, 'IP addresses or networks such as 10.0.0.0/8', text)
    }
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
