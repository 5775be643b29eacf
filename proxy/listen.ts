// From a listen address as people write it to a bound server.
import { lookup } from 'node:dns/promises'
import type { Server } from 'node:net'
import { formatAddress, parseAddress, type Address } from './address.ts'
import { FaultlineError, systemCode } from './errors.ts'
import type { Transport } from './faults/fault.ts'

/** Connections that wait to be accepted. The kernel caps it (net.core.somaxconn, 4096 by default). */
const LISTEN_BACKLOG = 4096

/** All interfaces, IPv4 and IPv6; shown as `[::]`. */
const ALL_INTERFACES = '::'

/** Turns a listen address into what is bound: names are looked up, IPv4 first; `0.0.0.0` is all interfaces. */
export async function resolveListen(listen: string, transport: Transport = 'tcp'): Promise<Address> {
  const { host, port } = parseAddress(listen, 'listen')
  if (host === '' || host === '0.0.0.0' || host === ALL_INTERFACES) return { host: ALL_INTERFACES, port }
  try {
    const found = await lookup(host, { all: true })
    const address = found.find(({ family }) => family === 4) ?? found[0]
    return { host: address?.address ?? host, port }
  } catch (error) {
    throw new FaultlineError('listen_failed', `listen ${transport}: lookup ${host}: no such host`, {
      field: 'listen',
      cause: error,
    })
  }
}

/** Binds the server; returns the address with the port that it got. */
export async function listenOn(server: Server, listen: string): Promise<string> {
  await bindAny(listen, 'tcp', ({ host, port }) => bind(server, host, port))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address')
  return formatAddress(bound.address, bound.port)
}

/**
 * Binds something to a listen address. A machine without IPv6 has no `::`; all its interfaces are `0.0.0.0`.
 *
 * @throws FaultlineError `invalid_address`, `listen_failed`
 */
export async function bindAny<Bound>(
  listen: string,
  transport: Transport,
  bindTo: (address: Address) => Promise<Bound>,
): Promise<Bound> {
  const { host, port } = await resolveListen(listen, transport)
  try {
    return await bindTo({ host, port }).catch((error: unknown) => {
      if (host !== ALL_INTERFACES || systemCode(error) !== 'EAFNOSUPPORT') throw error
      return bindTo({ host: '0.0.0.0', port })
    })
  } catch (error) {
    const address = formatAddress(host, port)
    throw new FaultlineError('listen_failed', `listen ${transport} ${address}: bind: ${reasonOf(error)}`, {
      field: 'listen',
      cause: error,
    })
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function reasonOf(error: unknown): string {
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return 'address already in use'
    case 'EADDRNOTAVAIL':
      return 'cannot assign requested address'
    case 'EACCES':
      return 'permission denied'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}
