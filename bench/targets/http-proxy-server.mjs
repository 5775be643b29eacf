// Process: node http-proxy-server.mjs PORT UPSTREAM_PORT. http-proxy as its README sets it up, with a keep-alive agent:
// without one it opens an upstream connection for every request. Upgrades are on, which they are not by default.

import { Agent } from 'node:http'
import httpProxy from 'http-proxy'

const [port, upstreamPort] = process.argv.slice(2).map(Number)

const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${upstreamPort}`,
  agent: new Agent({ keepAlive: true }),
  ws: true,
})
proxy.on('error', (_error, _request, response) => response.destroy())
proxy.listen(port, '127.0.0.1')
