// Errors of our own API: application/problem+json (RFC 9457) with a stable code, the field and what was expected.
import { Type, type Static } from '@sinclair/typebox'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { FaultlineError, isFaultlineError, type FaultlineErrorCode } from '../proxy/index.ts'
import { watchMethods } from './allowed-methods.ts'
import { BODY_LIMIT_BYTES, JSON_DEPTH_EXPECTED, nestsTooDeeply } from './security/body-limits.ts'
import { Refusal } from './security/refusal.ts'

const statusByCode: Readonly<Record<FaultlineErrorCode, number>> = {
  invalid_value: 400,
  unknown_field: 400,
  missing_field: 400,
  unknown_fault_type: 400,
  invalid_address: 400,
  proxy_not_found: 404,
  fault_not_found: 404,
  proxy_exists: 409,
  fault_not_carried: 422,
  fault_exists: 409,
  listen_failed: 409,
  network_closed: 503,
  stopped: 423,
  lease_not_found: 404,
  lease_waits: 409,
  limit_reached: 429,
  unknown_stressor_type: 400,
  stressor_exists: 409,
  stressor_not_found: 404,
  stressor_refused: 409,
  stressor_failed: 500,
}

/** An RFC 9457 problem document. */
export const problemSchema = Type.Object({
  type: Type.String({ description: 'A URN with the code.' }),
  title: Type.String(),
  status: Type.Integer({ description: 'The HTTP status.' }),
  detail: Type.String({ description: 'What is wrong, for people.' }),
  code: Type.String({ description: 'What is wrong, for programs: it does not change.' }),
  field: Type.Optional(Type.String({ description: 'The field, parameter or header that is wrong.' })),
  expected: Type.Optional(Type.String({ description: 'What would have been right there.' })),
})

type Problem = Readonly<Static<typeof problemSchema>>

/** Makes every error below this instance a problem document. */
export function problemHandlers(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>(sendProblem)
  const methodsOf = watchMethods(app)
  app.setNotFoundHandler((request, reply) => {
    const detail = `there is no ${request.method} ${request.url.split('?')[0]}`
    const methods = methodsOf(request.url)
    if (methods.length === 0) return sendProblem(new Refusal(404, 'route_not_found', detail), request, reply)
    const expected = `one of ${methods.join(', ')}`
    const about = { field: 'method', expected }
    reply.header('allow', methods.join(', '))
    return sendProblem(new Refusal(405, 'method_not_allowed', `${detail}, expected ${expected}`, about), request, reply)
  })
  // Strictly JSON: a form or plain text could come from a web page without a preflight request.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parseBody(body as string))
    } catch (error) {
      done(error as Error)
    }
  })
}

function parseBody(text: string): unknown {
  if (text === '') return undefined
  if (nestsTooDeeply(text)) throw invalidJson(JSON_DEPTH_EXPECTED, 'it nests deeper')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidJson('JSON', error instanceof Error ? error.message : String(error))
  }
}

function invalidJson(expected: string, reason: string): FaultlineError {
  return new FaultlineError('invalid_value', `body: expected ${expected}, ${reason}`, { field: 'body', expected })
}

/** Answers a request with what went wrong. */
export function sendProblem(error: FastifyError | Refusal, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500 && !(error instanceof Refusal)) request.log.error({ err: error }, 'request failed')
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

function toProblem(error: FastifyError | Refusal): Problem {
  if (error instanceof Refusal) {
    const { statusCode, code, message } = error
    return { ...problemOf(statusCode, code, message), ...about(error) }
  }
  if (isFaultlineError(error)) {
    const { code, message } = error
    return { ...problemOf(statusByCode[code], code, message), ...about(error) }
  }
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return badRequest(415, 'unsupported_media_type', 'content-type', 'application/json')
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return badRequest(413, 'body_too_large', 'body', `at most ${BODY_LIMIT_BYTES} bytes`)
    default:
      return problemOf(error.statusCode ?? 500, error.code ?? 'internal_error', error.message)
  }
}

function about({ field, expected }: Refusal | FaultlineError): Pick<Problem, 'field' | 'expected'> {
  return { ...(field !== undefined && { field }), ...(expected !== undefined && { expected }) }
}

/** Of something that Fastify finds wrong. */
function badRequest(status: number, code: string, field: string, expected: string): Problem {
  return { ...problemOf(status, code, `${field}: expected ${expected}`), field, expected }
}

export function problemOf(status: number, code: string, detail: string): Problem {
  return { type: `urn:faultline:problem:${code}`, title: code.replaceAll('_', ' '), status, detail, code }
}
