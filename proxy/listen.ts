// From a listen address as people write it to a bound server.
import { lookup } from 'node:dns/promises'
import type { Server } from 'node:net'
import { formatAddress, parseAddress, type Address } from './address.ts'
import { FaultlineError, systemCode } from './errors.ts'

/** Connections that wait to be accepted. The kernel caps it (net.core.somaxconn, 4096 by default). */
const LISTEN_BACKLOG = 4096

/** All interfaces, IPv4 and IPv6; shown as `[::]`. */
const ALL_INTERFACES = '::'

/** Turns a listen address into what is bound: names are looked up, IPv4 first; `0.0.0.0` is all interfaces. */
export async function resolveListen(listen: string): Promise<Address> {
  const { host, port } = parseAddress(listen, 'listen')
  if (host === '' || host === '0.0.0.0' || host === ALL_INTERFACES) return { host: ALL_INTERFACES, port }
  try {
    const found = await lookup(host, { all: true })
    const address = found.find(({ family }) => family === 4) ?? found[0]
    return { host: address?.address ?? host, port }
  } catch (error) {
    throw new FaultlineError('listen_failed', `listen tcp: lookup ${host}: no such host`, {
      field: 'listen',
      cause: error,
    })
  }
}

/** Binds the server; returns the address with the port that it got. */
export async function listenOn(server: Server, listen: string): Promise<string> {
  const { host, port } = await resolveListen(listen)
  try {
    await bindAny(server, host, port)
  } catch (error) {
    const address = formatAddress(host, port)
    throw new FaultlineError('listen_failed', `listen tcp ${address}: bind: ${reasonOf(error)}`, {
      field: 'listen',
      cause: error,
    })
  }
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a TCP server has an address')
  return formatAddress(bound.address, bound.port)
}

/** A machine without IPv6 has no `::`; all its interfaces are `0.0.0.0`. */
async function bindAny(server: Server, host: string, port: number): Promise<void> {
  try {
    await bind(server, host, port)
  } catch (error) {
    if (host !== ALL_INTERFACES || systemCode(error) !== 'EAFNOSUPPORT') throw error
    await bind(server, '0.0.0.0', port)
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
