// Envoy's fault headers: requests that ask for a fault themselves. Off unless the proxy says `headerFaults: true`.
//
// As in Envoy's fault filter with header_abort, header_delay and header_limit, each at 100 % (documentation: HTTP
// filters, Fault Injection; values are read as in fault_config.cc): only the first header of a name counts, a value that
// is no number or out of range is as if it were not there, a percentage above 100 is 100, and one that is no number
// leaves the 100 % of the configuration. A delay comes before an abort.
import { MAX_DELAY_MS } from '../../delay.ts'
import { hasNoContent } from '../../faults/http/answer-body.ts'
import { PASS, type HttpContext, type HttpDecider, type HttpMessage } from '../../faults/http/http-fault.ts'
import { RateStage } from '../../faults/http/pacing.ts'

const ABORT = 'x-envoy-fault-abort-request'
const DELAY = 'x-envoy-fault-delay-request'
const THROUGHPUT = 'x-envoy-fault-throughput-response'

/** Above it, a value is no number to Envoy. */
const MAX_UINT64 = 2 ** 64 - 1

/** `x-envoy-fault-delay-request`: milliseconds, at most an hour. */
const delay: HttpDecider = {
  phase: 'request',
  decide(message, context) {
    const delayMs = numberOf(message, DELAY) ?? 0
    if (delayMs === 0 || !chosen(message, DELAY, context)) return PASS
    return { kind: 'delay', delayMs: Math.min(delayMs, MAX_DELAY_MS) }
  },
}

/** `x-envoy-fault-abort-request`: a status from 200 to 599; the body is Envoy's. */
const abort: HttpDecider = {
  phase: 'request',
  decide(message, context) {
    const status = numberOf(message, ABORT) ?? 0
    if (status < 200 || status >= 600 || !chosen(message, ABORT, context)) return PASS
    const body = Buffer.from(hasNoContent(status) ? '' : 'fault filter abort')
    return { kind: 'answer', answer: { status, headers: [['content-type', 'text/plain']], body } }
  },
}

/** `x-envoy-fault-throughput-response`: KiB of the body a second. */
const throughput: HttpDecider = {
  phase: 'response',
  decide(message, context) {
    const rateBytesPerSecond = 1024 * (numberOf(message, THROUGHPUT) ?? 0)
    if (rateBytesPerSecond === 0 || message.body === 'none' || !chosen(message, THROUGHPUT, context)) return PASS
    return { kind: 'stages', body: (stage) => new RateStage({ rateBytesPerSecond }, stage) }
  },
}

export const envoyDeciders: readonly { readonly type: string; readonly decider: HttpDecider }[] = [
  { type: 'envoy_delay', decider: delay },
  { type: 'envoy_abort', decider: abort },
  { type: 'envoy_throughput', decider: throughput },
]

/** Whether the header's percentage has the fault act on this request. */
function chosen(message: HttpMessage, header: string, { random }: HttpContext): boolean {
  const percentage = numberOf(message, `${header}-percentage`) ?? 100
  return percentage >= 100 || random.at(message.number) * 100 < percentage
}

/** An unsigned number, as absl::SimpleAtoi reads it. */
function numberOf({ request }: HttpMessage, header: string): number | undefined {
  const text = request.head.header(header)
  if (text === undefined || !/^\+?\d+$/.test(text)) return undefined
  const value = Number(text)
  return value <= MAX_UINT64 ? value : undefined
}
