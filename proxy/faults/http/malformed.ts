// Answers that break the rules of HTTP/1.1, each in the way that its name says.
import type { Random } from '../../random.ts'
import { hasBody } from './fields.ts'
import { defineHttpFault, Schema, Stage, type HttpMessage, type HttpVerdict, type Rewrite } from './http-fault.ts'

const KINDS = [
  'chunk',
  'content_length_too_long',
  'content_length_too_short',
  'status_line',
  'header',
  'garbage',
] as const

type Kind = (typeof KINDS)[number]

/** By how much Content-Length is wrong. */
const LENGTH_ERROR_BYTES = 10

const GARBAGE_BYTES = 64

export const httpMalformed = defineHttpFault({
  type: 'http_malformed',
  describe: 'Breaks an answer so that clients must refuse it, or wait for what does not come.',
  schema: Schema.Object({
    kind: Schema.Union(
      KINDS.map((kind) => Schema.Literal(kind)),
      {
        description:
          'chunk: the first bytes of the body come as a chunk, then a chunk size that is none, then FIN. ' +
          'content_length_too_long, content_length_too_short: by 10 bytes; the connection stays open. status_line: a ' +
          'status that is no number. header: a line without a colon. garbage: 64 bytes that are not HTTP in place of the ' +
          'answer, then FIN. The first three need a body; answers without one pass.',
      },
    ),
  }),
  create: ({ kind }) => ({
    phase: 'response',
    applies: (message) => !needsBody(kind) || hasBody(message),
    decide: (message, context) => malform(kind, message, context),
  }),
})

function needsBody(kind: Kind): boolean {
  return kind === 'chunk' || kind.startsWith('content_length')
}

function malform(kind: Kind, message: HttpMessage, context: { readonly random: Random }): HttpVerdict {
  const { head } = message
  switch (kind) {
    case 'chunk':
      head.remove('content-length')
      head.set('Transfer-Encoding', 'chunked')
      return { kind: 'stages', body: (stage) => new BrokenChunkStage(undefined, stage), unframed: true }
    case 'content_length_too_long':
      return wrongLength(message, (bytes) => bytes + LENGTH_ERROR_BYTES)
    case 'content_length_too_short':
      return wrongLength(message, (bytes) => Math.max(0, bytes - LENGTH_ERROR_BYTES))
    case 'status_line':
      return edited(kind, message, () => (head.startLine = head.startLine.replace(/ \d+/, ' 2x0')))
    case 'header':
      return edited(kind, message, () => head.addLine('this line has no colon'))
    default:
      return { kind: 'raw', action: 'malform', bytes: garbage(context.random, message.number) }
  }
}

function edited(kind: Kind, { head: { status } }: HttpMessage, edit: () => void): HttpVerdict {
  edit()
  return { kind: 'edited', action: 'malform', detail: { kind, status } }
}

/** A length that is known is changed in place; else the body has to come first. */
function wrongLength({ head, body, contentLength }: HttpMessage, wrong: (bytes: number) => number): HttpVerdict {
  if (body === 'length') {
    const length = wrong(contentLength)
    if (length === contentLength) return { kind: 'pass' }
    head.set('Content-Length', String(length))
    return { kind: 'edited', action: 'malform', detail: { contentLength: length } }
  }
  const rewrite = (message: Rewrite): { content: Buffer; keepLength: true } | undefined => {
    const length = wrong(message.content.length)
    if (length === message.content.length) return undefined
    message.head.set('Content-Length', String(length))
    return { content: message.content, keepLength: true }
  }
  return { kind: 'rewrite', action: 'malform', rewrite }
}

/** Bytes above 127: no client takes them for the beginning of an answer. */
function garbage(random: Random, number: number): Buffer {
  const bytes = Array.from({ length: GARBAGE_BYTES }, (_, index) => random.at(number * GARBAGE_BYTES + index))
  return Buffer.from(bytes.map((draw) => 128 + Math.floor(draw * 128)))
}

class BrokenChunkStage extends Stage<undefined> {
  #done = false

  override write(content: Buffer): void {
    if (this.#done) return
    this.next.write(Buffer.from(`${content.length.toString(16)}\r\n`, 'latin1'))
    this.next.write(content)
    this.next.write(Buffer.from('\r\n', 'latin1'))
    this.#break()
  }

  override end(): void {
    if (!this.#done) this.#break()
  }

  #break(): void {
    this.#done = true
    this.context.record('malform', { kind: 'chunk' })
    this.next.write(Buffer.from('no size\r\n', 'latin1'))
    this.next.close()
  }
}
