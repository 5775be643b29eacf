// Node's own HTTP parser (llhttp) as the second opinion on where messages begin and end.
import { createRequire } from 'node:module'
import type { MethodKind } from '../../proxy/protocols/http/framer.ts'
import type { MessageKind } from './http-framing.ts'

/** The part of Node's internal parser that this file uses. */
interface NodeParser {
  [callback: number]: (...facts: any[]) => unknown
  initialize(type: number, resource: object, maxHeaderBytes: number, lenientFlags: number): void
  execute(bytes: Buffer): number | Error
  finish(): Error | undefined
  close(): void
}

interface NodeParserClass {
  new (): NodeParser
  readonly [constant: string]: number
}

const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: NodeParserClass }
const constant = (name: string): number => HTTPParser[name] ?? 0

/** No lenient flags. */
const STRICT = 0
/** More than the longest head in the tests. */
const MAX_HEADER_BYTES = 200_000

export interface Parsed {
  readonly messages: readonly { headTo: number; content: string; endsAt: number | undefined }[]
  /** What Node calls the error, if it refused something. */
  readonly error: string | undefined
  /** Both ends speak another protocol from here on. */
  readonly upgradedAt: number | undefined
}

/** Where Node's parser sees messages. It gets one byte at a time, so that each callback tells its offset. */
export function parseByNode(
  kind: MessageKind,
  bytes: Buffer,
  { answers = [] }: { readonly answers?: readonly MethodKind[] } = {},
): Parsed {
  const messages: { headTo: number; content: string; endsAt: number | undefined }[] = []
  let offset = 0
  let finals = 0
  let status = 0
  let upgraded = false
  let upgradedAt: number | undefined
  const parser = new HTTPParser()
  parser.initialize(constant(kind.toUpperCase()), {}, MAX_HEADER_BYTES, STRICT)
  parser[constant('kOnHeaders')] = () => {}
  parser[constant('kOnHeadersComplete')] = (...facts) => {
    status = facts[5] ?? 0
    messages.push({ headTo: offset + 1, content: '', endsAt: undefined })
    const answered = answers[finals] ?? 'other'
    // As node:http's server and client tell it: 2 = something else follows, 1 = no body.
    upgraded = kind === 'request' ? facts[7] === true : status === 101 || (answered === 'CONNECT' && isSuccess(status))
    if (upgraded) return 2
    return kind === 'response' && answered === 'HEAD' ? 1 : 0
  }
  parser[constant('kOnBody')] = (content: Buffer) => {
    const last = messages.at(-1)
    if (last) last.content += content.toString('latin1')
  }
  parser[constant('kOnMessageComplete')] = () => {
    const last = messages.at(-1)
    if (last) last.endsAt = finished ? bytes.length : offset + 1
    if (status >= 200) finals++
    if (upgraded) upgradedAt = last?.endsAt
  }
  let finished = false
  let error: string | undefined
  const isUpgraded = (): boolean => upgradedAt !== undefined
  for (; offset < bytes.length && error === undefined && !isUpgraded(); offset++) {
    const result = parser.execute(bytes.subarray(offset, offset + 1))
    if (result instanceof Error && !isUpgraded()) error = codeOf(result)
  }
  finished = true
  if (error === undefined && !isUpgraded()) {
    const result = parser.finish()
    // An unfinished message is no contradiction: the framer is asked about what has come.
    if (result instanceof Error && codeOf(result) !== 'HPE_INVALID_EOF_STATE') error = codeOf(result)
  }
  parser.close()
  return { messages, error, upgradedAt }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message
}
