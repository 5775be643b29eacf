// A client, a proxy and a server, connected: what most data plane tests begin with.
import { Network, type FaultProxy, type FaultSpec, type NetworkOptions, type ProxySpec } from '../../proxy/index.ts'
import { RawServer, RawSocket } from './sockets.ts'

export interface Proxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  /** What the proxy dials. Silent: the test speaks for it through {@link Proxied.connect}'s `server`. */
  readonly upstream: RawServer
  /** Opens a client and waits for the server's end of it. */
  connect(): Promise<{ client: RawSocket; server: RawSocket }>
}

/**
 * @param faults in place before the first connection
 * @param spec e.g. the protocol
 */
export async function startProxied(
  faults: readonly FaultSpec[] = [],
  options: NetworkOptions = {},
  spec: Partial<ProxySpec> = {},
): Promise<Proxied> {
  const upstream = await RawServer.start()
  const network = new Network({ seed: 1, ...options })
  const proxy = await network.createProxy({ name: 'p', upstream: upstream.address, faults, ...spec })
  return {
    network,
    proxy,
    upstream,
    async connect() {
      const accepted = upstream.next()
      const client = await RawSocket.connect(portOf(proxy))
      return { client, server: await accepted }
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      await upstream.close()
    },
  }
}

/** The port of an enabled proxy. */
export function portOf(proxy: FaultProxy): number {
  if (proxy.port === undefined) throw new Error(`proxy ${proxy.name} is disabled`)
  return proxy.port
}
