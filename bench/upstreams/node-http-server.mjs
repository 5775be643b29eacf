// Process: node node-http-server.mjs PORT. Stands in for nginx where that is missing.

import { createServer } from 'node:http'

const body = 'It works, and this is all there is to say.\n'
const headers = { 'content-type': 'text/plain', 'content-length': String(body.length) }

const server = createServer((_request, response) => response.writeHead(200, headers).end(body))
server.keepAliveTimeout = 3_600_000
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 })
