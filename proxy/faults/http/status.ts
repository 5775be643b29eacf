// The server does its work, and the client hears something else: the ambiguous write.
import { STATUS_CODES } from 'node:http'
import { checkReason, reasonField, statusField } from './fields.ts'
import { defineHttpFault, PASS, Schema, type HttpMessage, type HttpVerdict } from './http-fault.ts'

/** Statuses whose answers end with their heads (RFC 9112 section 6.3). */
function endsWithHead(status: number): boolean {
  return status === 204 || status === 304
}

export const httpStatus = defineHttpFault({
  type: 'http_status',
  describe:
    'Lets the server do its work, then changes the status of its answer. The body stays, but 204 and 304 have none.',
  schema: Schema.Object({
    status: statusField({ default: 503, description: 'What the client gets in place of the real status.' }),
    reason: reasonField,
  }),
  create({ status, reason }, environment) {
    checkReason(reason, environment)
    return {
      phase: 'response',
      // Behind these the connection is not HTTP any more.
      applies: ({ head, request }) => head.status >= 200 && !(request.method === 'CONNECT' && head.status < 300),
      decide: (message) => setStatus(message, status, reason ?? STATUS_CODES[status] ?? ''),
    }
  },
})

function setStatus({ head, request }: HttpMessage, status: number, reason: string): HttpVerdict {
  const before = head.status
  if (before === status) return PASS
  head.setStatus(status, reason)
  const edited = { kind: 'edited', action: 'set_status', detail: { status: before, to: status } } as const
  if (endsWithHead(status)) {
    for (const name of ['content-length', 'transfer-encoding', 'trailer']) head.remove(name)
    return { ...edited, bodiless: true }
  }
  if (endsWithHead(before) && request.method !== 'HEAD') {
    // With this status there is a body, so it must be said that it is empty.
    head.remove('transfer-encoding')
    head.set('Content-Length', '0')
  }
  return edited
}
