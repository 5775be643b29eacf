// Connections of HTTP probes. Every run has one to itself, so that no run waits for what befell another: a pool would
// let a run of after a fault wait in a connection attempt of before.
import net from 'node:net'
import tls from 'node:tls'
import { Client, type buildConnector } from 'undici'
import { invalidField } from './invalid.ts'

/** All texts are PEM. */
export interface TlsOptions {
  /** Trusted instead of the well-known authorities. */
  readonly ca?: string
  /** To show to the server, with `key`. */
  readonly cert?: string
  readonly key?: string
  /** Asked for, and checked in the certificate, instead of the URL's host. */
  readonly servername?: string
  /** Takes any certificate. Default false. */
  readonly insecure?: boolean
}

/** A client of undici's that has, over time, one socket at most. */
interface Connection {
  readonly client: Client
  socket: net.Socket | undefined
}

export class HttpConnections {
  readonly #origin: string
  readonly #kept: boolean
  readonly #tls: tls.ConnectionOptions
  readonly #idle: Connection[] = []

  /** @throws FaultlineError `invalid_value` naming `tls` */
  constructor(origin: string, connections: 'kept' | 'fresh', options: TlsOptions = {}) {
    this.#origin = origin
    this.#kept = connections === 'kept'
    this.#tls = tlsOptions(options)
  }

  /**
   * @param signal ends the connection, and so the work. undici's own signals are only heard once it is connected
   * @param work is told whether the connection is to end with the answer; if it throws, the connection is gone
   */
  async use<Result>(signal: AbortSignal, work: (client: Client, reset: boolean) => Promise<Result>): Promise<Result> {
    signal.throwIfAborted()
    const connection = this.#idle.pop() ?? this.#open()
    const end = (): void => void destroy(connection)
    signal.addEventListener('abort', end)
    let isFine = false
    try {
      const result = await work(connection.client, !this.#kept)
      isFine = !signal.aborted
      return result
    } finally {
      signal.removeEventListener('abort', end)
      if (isFine && this.#kept) this.#idle.push(connection)
      else await destroy(connection)
    }
  }

  /** No run is under way. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(destroy))
  }

  #open(): Connection {
    const connect: buildConnector.connector = ({ hostname, port, protocol, servername }, callback) => {
      const host = hostname.replace(/^\[(.*)\]$/, '$1')
      const isSecure = protocol === 'https:'
      const target = { host, port: Number(port) || (isSecure ? 443 : 80) }
      const name = servername === undefined || net.isIP(servername) ? {} : { servername }
      const socket = isSecure ? tls.connect({ ...target, ...name, ...this.#tls }) : net.connect(target)
      connection.socket = socket
      socket.setNoDelay(true)
      const fail = (error: Error): void => callback(error, null)
      socket.once('error', fail)
      socket.once(isSecure ? 'secureConnect' : 'connect', () => {
        socket.off('error', fail)
        callback(null, socket)
      })
    }
    const client = new Client(this.#origin, { connect, headersTimeout: 0, bodyTimeout: 0 })
    const connection: Connection = { client, socket: undefined }
    return connection
  }
}

async function destroy({ client, socket }: Connection): Promise<void> {
  // undici would let a connection attempt go on, for as long as the system tries.
  socket?.destroy(new Error('given up'))
  await client.destroy()
}

function tlsOptions({ ca, cert, key, servername, insecure = false }: TlsOptions): tls.ConnectionOptions {
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidField('tls', 'cert and key together', cert === undefined ? 'key alone' : 'cert alone')
  }
  const options = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
  }
  try {
    tls.createSecureContext(options)
  } catch (error) {
    throw invalidField('tls', 'certificates and keys in PEM', Object.keys(options), error)
  }
  return { ...options, rejectUnauthorized: !insecure }
}
