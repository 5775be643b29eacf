// An HTTP or HTTPS service that answers as a test says, and knows who is connected.
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

export interface HttpService extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  /** Connections that there have been. */
  readonly accepted: number
}

/** @param secure PEM; makes it HTTPS */
export async function startHttpService(
  answer: http.RequestListener,
  secure?: { readonly cert: string; readonly key: string },
): Promise<HttpService> {
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = secure ? https.createServer(secure, answer) : http.createServer(answer)
  server.on('connection', (socket: Socket) => {
    accepted++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    get connections() {
      return sockets.size
    },
    get accepted() {
      return accepted
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
