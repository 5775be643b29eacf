// An answer of the proxy's own: the server never hears of the request.
import { bodyField, hasNoContent, readBody, withContentType } from './answer-body.ts'
import { checkReason, givenOf, reasonField, statusField } from './fields.ts'
import { headersField, readHeaders } from './header-fields.ts'
import { defineHttpFault, invalidField, Schema, type HttpVerdict } from './http-fault.ts'

export const httpAbort = defineHttpFault({
  type: 'http_abort',
  describe: 'Answers in place of the server, which never gets the request. The connection stays usable.',
  schema: Schema.Object({
    status: statusField({ default: 503, description: 'Status of the answer.' }),
    reason: reasonField,
    headers: headersField('Headers of the answer; Content-Length is added.'),
    body: bodyField,
    bodyFile: Schema.Optional(
      Schema.String({
        minLength: 1,
        description: 'In place of body: a file, in the directory that files are read from.',
      }),
    ),
  }),
  create(attributes, environment) {
    const { status, reason, bodyFile } = attributes
    checkReason(reason, environment)
    const headers = readHeaders(attributes.headers, 'headers', environment)
    const given = givenOf(attributes, ['body', 'bodyFile'], environment)
    if (given && hasNoContent(status)) {
      throw invalidField(environment.field(given), `nothing, as an answer ${status} has no body`, attributes[given])
    }
    const body =
      bodyFile === undefined
        ? readBody(attributes.body, environment)
        : { content: environment.readFile(bodyFile, environment.field('bodyFile')) }
    const verdict: HttpVerdict = {
      kind: 'answer',
      answer: {
        status,
        ...(reason !== undefined && { reason }),
        headers: withContentType(headers, body),
        body: body.content,
      },
    }
    return { phase: 'request', decide: () => verdict }
  },
})
