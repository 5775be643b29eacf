// A server for real clients: answers by node:http, and writes down the bytes that came.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Origin extends AsyncDisposable {
  readonly port: number
  /** Bytes that came, one entry a connection, in the order of accepting. */
  readonly received: readonly string[]
}

/**
 * Tells in the body what it was sent. `/chunked` answers in chunks with a trailer, `/hints` after 103, `/refuse` refuses
 * an Expect by 417, `/close` ends the connection; all else by Content-Length.
 */
export async function startOrigin(): Promise<Origin> {
  const received: Buffer[][] = []
  const sockets = new Set<Socket>()
  const server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => void answer(request, response))
  server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    if (request.url === '/refuse') {
      response.sendDate = false
      response.writeHead(417, { 'Content-Length': 2, Connection: 'close' }).end('no')
      return
    }
    response.writeContinue()
    void answer(request, response)
  })
  server.on('connection', (socket: Socket) => {
    const chunks: Buffer[] = []
    received.push(chunks)
    sockets.add(socket)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get received() {
      return received.map((chunks) => Buffer.concat(chunks).toString('latin1'))
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { method, url } = request
  const said = `${method} ${url} ${Buffer.concat(chunks).toString('latin1')} ${JSON.stringify(request.rawTrailers)}`
  // Nothing in the answer may differ from run to run.
  response.sendDate = false
  response.setHeader('X-Mixed-Case', ['one', 'two'])
  if (url === '/hints') response.writeEarlyHints({ link: '</style.css>; rel=preload' })
  if (url === '/close') response.setHeader('Connection', 'close')
  if (url !== '/chunked') {
    response.setHeader('Content-Length', Buffer.byteLength(said))
    response.end(said)
    return
  }
  response.setHeader('Trailer', 'X-Sum')
  response.write(said)
  response.addTrailers({ 'X-Sum': String(said.length) })
  response.end('and more')
}
