// The small HTTP service that `faultline demo` puts behind a proxy.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface DemoService {
  /** `host:port`. */
  readonly address: string
  close(): Promise<void>
}

/** Answers every request with a greeting and a count. */
export async function startDemoService(): Promise<DemoService> {
  let served = 0
  const server = createServer((_request, response) => {
    const body = `${JSON.stringify({ hello: 'world', served: ++served })}\n`
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
