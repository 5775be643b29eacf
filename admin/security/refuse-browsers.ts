// Web pages must not drive a developer's proxy: browsers are told by their user agent, as Toxiproxy does.
import type { FastifyInstance } from 'fastify'

/** Answers 403 to every user agent that starts with `Mozilla/`, on all paths, also those that do not exist. */
export function refuseBrowsers(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!request.headers['user-agent']?.startsWith('Mozilla/')) return
    await reply.code(403).type('text/plain; charset=utf-8').send('User agent not allowed\n')
  })
}
