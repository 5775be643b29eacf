// Why a run failed, in few words: reports group failures by them, so that nothing that differs from run to run may stand
// in front.
import { MAX_ANSWER_BYTES } from './probe.ts'

/** An answer that is longer than anybody should have to read. */
export class AnswerTooLarge extends Error {
  constructor() {
    super(`an answer of more than ${MAX_ANSWER_BYTES} bytes`)
  }
}

/** E.g. `ECONNREFUSED`, `DEPTH_ZERO_SELF_SIGNED_CERT`, `SQLSTATE 40001: could not serialize access …`. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = codeOf(error)
  if (code === undefined) return error.message === '' ? error.name : error.message
  // Five characters of which the first two are the class: Postgres, Appendix A.
  if (/^[0-9A-Z]{5}$/.test(code) && 'severity' in error) return `SQLSTATE ${code}: ${error.message}`
  // undici's codes say less than its messages: `UND_ERR_SOCKET` for "other side closed".
  return code.startsWith('UND_ERR') ? error.message : code
}

function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code
  return error.cause instanceof Error ? codeOf(error.cause) : undefined
}
