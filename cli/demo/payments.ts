// The HTTP service of the demo: it takes money for orders, and always says yes.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Payments {
  /** `host:port`. */
  readonly address: string
  close(): Promise<void>
}

export async function startPayments(): Promise<Payments> {
  let served = 0
  const server = createServer((request, response) => {
    request.resume()
    const body = `${JSON.stringify({ paid: true, served: ++served })}\n`
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { address, port } = server.address() as AddressInfo
  return {
    address: `${address}:${port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
