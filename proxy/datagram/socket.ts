// How UDP sockets are opened here, by the documented API of Node's dgram module. Measured at 50,000 packets a second
// through a proxy: 9 to 10 µs of CPU a packet, of which calling dgram's handle past its API would save nothing.
import dgram, { type RemoteInfo, type Socket } from 'node:dgram'
import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { formatAddress, type Address } from '../address.ts'
import { bindAny } from '../listen.ts'
import { sharedLookup } from '../lookup.ts'

export type { RemoteInfo, Socket } from 'node:dgram'

/**
 * Room for packets that come while we are busy: at 50,000 packets of 100 bytes a second, 8 MiB are some 200 ms (Linux
 * counts about 800 bytes for each). Linux gives what net.core.rmem_max allows, other systems refuse too much.
 */
const RECEIVE_BUFFER_BYTES = [8_388_608, 4_194_304, 2_097_152, 1_048_576, 524_288]

/** Packets that the kernel takes no more of wait in the process up to this; beyond it they are lost. */
const MAX_SEND_QUEUE_BYTES = 1_048_576

/**
 * Addresses are numbers by now. By default dgram looks up the destination of each packet in a later turn of the loop, with
 * several closures; this makes it one call.
 */
type Lookup = NonNullable<dgram.SocketOptions['lookup']>
const noLookup: Lookup = (address, _options, callback) => callback(null, address, isIP(address))

function createSocket(address: string): Socket {
  return dgram.createSocket({ type: isIP(address) === 6 ? 'udp6' : 'udp4', lookup: noLookup })
}

/**
 * Binds a socket for clients. One for all interfaces answers from the address that the system's routes choose, which on a
 * machine with several need not be the one that a client has sent to.
 *
 * @throws FaultlineError `invalid_address`, `listen_failed`
 */
export async function listenForPackets(
  listen: string,
  received: (packet: Buffer, from: RemoteInfo) => void,
): Promise<{ readonly socket: Socket; readonly address: string }> {
  const socket = await bindAny(listen, 'udp', bind)
  socket.on('message', received)
  const bound = socket.address()
  return { socket, address: formatAddress(bound.address, bound.port) }
}

function bind({ host, port }: Address): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host)
    const fail = (error: Error): void => {
      socket.close()
      reject(error)
    }
    socket.once('error', fail)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', fail)
      enlargeReceiveBuffer(socket)
      resolve(socket)
    })
  })
}

/** Looks up where packets are to go, IPv4 first, as nothing tells whether somebody listens there. */
export function lookUpServer(host: string, found: (error: Error | undefined, address: string) => void): void {
  if (isIP(host) > 0) return found(undefined, host)
  sharedLookup(host, { all: true }, (error, addresses) => {
    const all = addresses as LookupAddress[]
    const address = error ? undefined : (all.find(({ family }) => family === 4) ?? all[0])
    if (address) found(undefined, address.address)
    else found(error ?? new Error(`no address for ${host}`), '')
  })
}

/**
 * Opens a socket that sends to one server and hears only that one: connected, so that ICMP errors are heard.
 *
 * @param failed for all errors, before and after it is connected; may be called before this returns
 * @throws for what is no port to send to
 */
export function connectToServer(
  address: string,
  port: number,
  connected: () => void,
  failed: (error: Error) => void,
): Socket {
  const socket = createSocket(address)
  socket.on('error', failed)
  try {
    socket.connect(port, address, () => {
      enlargeReceiveBuffer(socket)
      connected()
    })
  } catch (error) {
    socket.close() // e.g. port 0
    throw error
  }
  return socket
}

function enlargeReceiveBuffer(socket: Socket): void {
  for (const bytes of RECEIVE_BUFFER_BYTES) {
    try {
      socket.setRecvBufferSize(bytes)
      return
    } catch {
      // Less may be allowed; with none of them it has what the system gives.
    }
  }
}

/** Whether the kernel keeps up, so that one more packet may be sent. */
export function hasRoom(socket: Socket): boolean {
  return socket.getSendQueueSize() < MAX_SEND_QUEUE_BYTES
}
