// Errors of our own API: application/problem+json (RFC 9457) with a stable code, the field and what was expected.
import type { FastifyError, FastifyInstance } from 'fastify'
import { FaultlineError, isFaultlineError, type FaultlineErrorCode } from '../proxy/index.ts'

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
  limit_reached: 429,
}

/** An RFC 9457 problem document. */
interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly field?: string | undefined
  readonly expected?: string | undefined
}

/** Makes every error below this instance a problem document. */
export function problemHandlers(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) request.log.error({ err: error }, 'request failed')
    return reply.code(problem.status).type('application/problem+json').send(problem)
  })
  app.setNotFoundHandler((request, reply) => {
    const detail = `there is no ${request.method} ${request.url.split('?')[0]}`
    return reply
      .code(404)
      .type('application/problem+json')
      .send(problemOf(404, 'route_not_found', detail))
  })
  // Strictly JSON: a form or plain text could come from a web page without a preflight request.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(body as string))
    } catch (error) {
      done(invalidJson(error))
    }
  })
}

function invalidJson(error: unknown): FaultlineError {
  const reason = error instanceof Error ? error.message : String(error)
  return new FaultlineError('invalid_value', `body: expected JSON, ${reason}`, { field: 'body', expected: 'JSON' })
}

function toProblem(error: FastifyError): Problem {
  if (isFaultlineError(error)) {
    const { code, message, field, expected } = error
    return { ...problemOf(statusByCode[code], code, message), field, expected }
  }
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return problemOf(415, 'unsupported_media_type', 'content-type: expected application/json')
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return problemOf(413, 'body_too_large', error.message)
    default:
      return problemOf(error.statusCode ?? 500, error.code ?? 'internal_error', error.message)
  }
}

function problemOf(status: number, code: string, detail: string): Problem {
  return { type: `urn:faultline:problem:${code}`, title: code.replaceAll('_', ' '), status, detail, code }
}
