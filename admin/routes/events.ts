// /v1/events: the feed as a list, as server-sent events, and over a WebSocket.
import websocket from '@fastify/websocket'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FaultlineError, type Network } from '../../proxy/index.ts'
import { feedEntrySchema } from '../feed/entry.ts'
import type { Feed } from '../feed/feed.ts'
import { FeedFilter, feedQuerySchema, type FeedQuery } from '../feed/filter.ts'
import { ServerSentEvents } from '../feed/server-sent-events.ts'
import { isUpgrade } from '../feed/upgrade-request.ts'
import { FeedSocket, MAX_CLIENT_FRAME_BYTES } from '../feed/web-socket.ts'
import { describeRoute } from '../openapi/operation.ts'
import { asksFor } from './accept.ts'
import { DEFAULT_LIMIT } from './query.ts'

const EVENT_STREAM = 'text/event-stream'

export const eventListSchema = Type.Object({
  total: Type.Integer({ description: 'Entries of the feed so far, of all types.' }),
  events: Type.Array(feedEntrySchema),
})

type EventRequest = FastifyRequest<{ Querystring: FeedQuery }>

export async function eventRoutes(app: FastifyInstance, network: Network, feed: Feed): Promise<void> {
  app.addHook('preClose', (done) => {
    feed.close()
    done()
  })
  // Nobody else closes the connection of an upgrade that was refused.
  app.addHook('onResponse', (request, _reply, done) => {
    if (isUpgrade(request.raw)) request.raw.socket.destroySoon()
    done()
  })
  await app.register(websocket, { options: { maxPayload: MAX_CLIENT_FRAME_BYTES } })
  app.route<{ Querystring: FeedQuery }>({
    method: 'GET',
    url: '/events',
    ...describeRoute({
      id: 'listEvents',
      tag: 'records',
      summary: 'What happened: injections, and proxies, faults, partitions, leases, connections that came and went',
      description: [
        'As a list; as server-sent events, if that is accepted; over a WebSocket, if the request asks for an upgrade.',
        'Streams go on after the Last-Event-ID, or after `since`. An entry `gap` says that some have been forgotten,',
        'an entry `end` why the stream ends.',
      ].join(' '),
      query: feedQuerySchema,
      answers: { 200: { 'application/json': 'EventList', [EVENT_STREAM]: 'EventStream' } },
      errors: [400, 503],
    }),
    preHandler: (request, _reply, done) => {
      if (!isStream(request)) return done()
      if (request.query.limit !== undefined) throw noLimit()
      // Of a WebSocket before it is one, so that the answer is an error as all others.
      readSince(request)
      new FeedFilter(request.query)
      feed.checkRoom()
      return done()
    },
    handler: (request, reply) => {
      const filter = new FeedFilter(request.query)
      if (isStream(request)) {
        const events = new ServerSentEvents(feed, network.clock, filter, readSince(request))
        return reply.type(EVENT_STREAM).header('cache-control', 'no-store').send(events)
      }
      const { since = 0, limit = DEFAULT_LIMIT } = request.query
      return { total: feed.total, events: feed.latest(filter, since, limit).map((entry) => entry.view()) }
    },
    wsHandler: (socket, request: FastifyRequest) => {
      const eventRequest = request as EventRequest
      new FeedSocket(socket, feed, network.clock, new FeedFilter(eventRequest.query), readSince(eventRequest))
    },
  })
}

function isStream(request: EventRequest): boolean {
  return request.ws || asksFor(request.headers.accept, EVENT_STREAM)
}

/** A browser that comes back sends the id of what it has seen, beside the address that it began with. */
function readSince({ headers, query }: EventRequest): number | undefined {
  const header = headers['last-event-id']
  if (header === undefined) return query.since
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header)
  const expected = 'the id of an event'
  throw new FaultlineError('invalid_value', `last-event-id: expected ${expected}`, { field: 'last-event-id', expected })
}

function noLimit(): FaultlineError {
  const expected = 'nothing with a stream, which has no end'
  return new FaultlineError('invalid_value', `limit: expected ${expected}`, { field: 'limit', expected })
}
