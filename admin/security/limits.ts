// Limits of the HTTP server itself, and what it answers where a request is too broken for a route.
import { STATUS_CODES, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MAX_NAME_LENGTH } from '../../proxy/validate.ts'
import { UpgradeRequest } from '../feed/upgrade-request.ts'
import { problemOf, sendProblem } from '../errors.ts'
import { BODY_LIMIT_BYTES } from './body-limits.ts'
import { Refusal } from './refusal.ts'

/** A client must have sent its whole request by then. */
const REQUEST_TIMEOUT_MS = 30_000

/** And its head by then: connections that send nothing are the cheapest attack. */
const HEADERS_TIMEOUT_MS = 10_000

/** How often Node looks for requests that are over time; by default only every 30 s. */
const TIMEOUT_CHECK_MS = 2000

/** Request line and headers. Node's default, said here because the longest names depend on it. */
const MAX_HEADER_BYTES = 16 * 1024

/**
 * Open connections to the API. Suites keep some hundred, streams of events one each; a leak must not take the file
 * descriptors that the proxies need.
 */
const MAX_CONNECTIONS = 4096

/** For `Fastify()`. */
export const limitOptions = {
  bodyLimit: BODY_LIMIT_BYTES,
  requestTimeout: REQUEST_TIMEOUT_MS,
  http: {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    IncomingMessage: UpgradeRequest,
  },
  routerOptions: { maxParamLength: MAX_NAME_LENGTH * 3 } /* percent-encoded */,
  clientErrorHandler: answerBrokenRequest,
  frameworkErrors: (error, request, reply) => void answerBadPath(error, request, reply),
} satisfies FastifyHttpOptions<Server>

/** For a path that no route can be looked up for; hooks do not see it, and nothing is done. */
function answerBadPath(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const tooLong = error.code === 'FST_ERR_MAX_PARAM_LENGTH'
  const expected = tooLong ? `names of at most ${MAX_NAME_LENGTH} characters` : 'well-formed percent-encoding'
  const code = tooLong ? 'path_too_long' : 'invalid_path'
  const refusal = new Refusal(tooLong ? 414 : 400, code, `path: expected ${expected}`, { field: 'path', expected })
  if (/^\/v1(?:[/?]|$)/.test(request.url)) return sendProblem(refusal, request, reply)
  return reply.code(refusal.statusCode).send({ error: refusal.message, status: refusal.statusCode })
}

/** At the limit, connections that only wait for a next request make room. */
export function limitConnections({ server }: FastifyInstance, maxConnections = MAX_CONNECTIONS): void {
  server.maxConnections = maxConnections
  server.on('drop', () => server.closeIdleConnections())
}

/** Answers what Node could not read as HTTP, or not in time. There is no request yet, so no hook has seen it. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, code, expected } = brokenBy(error.code)
  const body = JSON.stringify({ ...problemOf(status, code, `expected ${expected}`), expected })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/problem+json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function brokenBy(code: string | undefined): { status: number; code: string; expected: string } {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'request_timeout', expected: `a whole request within ${REQUEST_TIMEOUT_MS / 1000} s` }
    case 'HPE_HEADER_OVERFLOW':
      return { status: 431, code: 'headers_too_large', expected: `headers of at most ${MAX_HEADER_BYTES} bytes` }
    default:
      return { status: 400, code: 'invalid_request', expected: 'an HTTP/1.1 request' }
  }
}
