// Process: node naive-proxy.mjs PORT UPSTREAM_PORT. The simplest honest TCP proxy in Node.

import { connect, createServer } from 'node:net'

const [port, upstreamPort] = process.argv.slice(2).map(Number)

const server = createServer((client) => {
  const upstream = connect(upstreamPort, '127.0.0.1')
  client.on('error', () => upstream.destroy())
  upstream.on('error', () => client.destroy())
  client.pipe(upstream)
  upstream.pipe(client)
})
server.listen(port, '127.0.0.1')
