// How the server ends: it says so, takes nothing new, lets answers that are under way finish, and is gone in time.
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { HEALTH_PATH } from './auth.ts'
import { Refusal } from './refusal.ts'

/**
 * How long requests that are being answered may still take; then their connections are cut. Answers take milliseconds;
 * what is left after this is a client that does not finish its request, or does not read.
 */
const DRAIN_DEADLINE_MS = 1000

/** For `Fastify()`: the 503 of {@link endGracefully} tells more than Fastify's own. */
export const shutdownOptions = { return503OnClosing: false }

/** GET /healthz, which answers 503 from the moment that `app.close()` is called, and so does everything else. */
export function endGracefully(app: FastifyInstance): void {
  let isStopping = false
  let deadline: NodeJS.Timeout | undefined
  // Not server.closeAllConnections(): that does not know of those which became WebSockets.
  const sockets = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  // HEAD: what `wget --spider` in a container's health check sends.
  app.route({
    method: ['GET', 'HEAD'],
    url: HEALTH_PATH,
    handler: (_request, reply) =>
      isStopping ? reply.code(503).send({ status: 'stopping' }) : reply.send({ status: 'ok' }),
  })
  app.addHook('onRequest', (request, _reply, done) => {
    if (!isStopping || request.routeOptions.url === HEALTH_PATH) return done()
    return done(new Refusal(503, 'stopping', 'the server is stopping'))
  })
  app.addHook('preClose', (done) => {
    isStopping = true
    // Node closes connections between two requests; those before their first one count as busy.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    deadline = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, DRAIN_DEADLINE_MS)
    done()
  })
  app.addHook('onClose', (_app, done) => {
    clearTimeout(deadline)
    done()
  })
}
