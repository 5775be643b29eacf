// Answers of the proxy's own.
import { STATUS_CODES } from 'node:http'
import type { HttpAnswer } from '../../faults/http/http-fault.ts'

/**
 * @param options.head the answer is to a HEAD request: no body (RFC 9110 section 9.3.2)
 * @param options.close the connection is closed behind it
 */
export function writeAnswer(answer: HttpAnswer, options: { head: boolean; close: boolean }): Buffer {
  const { status, reason = reasonOf(status), headers, body } = answer
  const lines = [`HTTP/1.1 ${status} ${reason}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
  const hasNoBody = status === 204 || status === 304
  if (!hasNoBody && !headers.some(([name]) => name.toLowerCase() === 'content-length')) {
    lines.push(`Content-Length: ${body.length}`)
  }
  if (options.close) lines.push('Connection: close')
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  return hasNoBody || options.head ? head : Buffer.concat([head, body])
}

/** The usual reason of a status, e.g. `Not Found`; empty for one that has none. */
export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? ''
}

/** A short answer in plain text. */
export function plainAnswer(status: number, text: string): HttpAnswer {
  return { status, headers: [['Content-Type', 'text/plain; charset=utf-8']], body: Buffer.from(`${text}\n`) }
}
