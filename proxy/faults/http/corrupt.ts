// A body that is not what was sent, in a message that is well-formed nevertheless.
import type { Random } from '../../random.ts'
import { givenOf, hasBody, phaseField } from './fields.ts'
import {
  defineHttpFault,
  invalidField,
  Schema,
  Stage,
  type FaultEnvironment,
  type HttpMessage,
  type HttpVerdict,
  type Rewrite,
} from './http-fault.ts'
import { applyJsonPatch, jsonPatchField, readJsonPatch } from './json-patch.ts'

const WAYS = ['rate', 'replace', 'jsonPatch', 'text'] as const

/** Makes new content; undefined = leaves it as it is. */
type Edit = (content: Buffer) => Buffer | undefined

export const httpCorrupt = defineHttpFault({
  type: 'http_corrupt',
  describe:
    'Changes the body of an answer or request: flips bits, replaces text, or patches JSON. Content-Length and ' +
    'Content-Encoding stay right: what is coded is decoded, changed and coded again. Unchanged bodies are not on record.',
  schema: Schema.Object({
    phase: phaseField('response', "Whether the answer's body is changed, or the request's."),
    rate: Schema.Optional(
      Schema.Number({ minimum: 0, maximum: 1, description: 'Share of bytes in which bits are flipped.' }),
    ),
    replace: Schema.Optional(
      Schema.Object(
        { find: Schema.String({ minLength: 1 }), with: Schema.String() },
        { additionalProperties: false, description: 'Replaces a text by another, wherever it is.' },
      ),
    ),
    jsonPatch: jsonPatchField,
    text: Schema.Optional(Schema.String({ description: 'The whole new body.' })),
  }),
  create(attributes, environment) {
    const { phase, rate } = attributes
    if (givenOf(attributes, WAYS, environment) === undefined) {
      throw invalidField(environment.field('rate'), `a number, or one of ${WAYS.slice(1).join(', ')}`, rate)
    }
    if (rate !== undefined)
      return { phase, applies: hasBody, decide: (message, context) => flip(rate, message, context) }
    const edit = readEdit(attributes, environment)
    return { phase, applies: hasBody, decide: () => rewriteBy(edit) }
  },
})

interface EditAttributes {
  readonly replace?: { readonly find: string; readonly with: string }
  readonly jsonPatch?: Parameters<typeof readJsonPatch>[0]
  readonly text?: string
}

function readEdit({ replace, jsonPatch, text = '' }: EditAttributes, environment: FaultEnvironment): Edit {
  if (replace) return replacing(replace.find, replace.with)
  if (jsonPatch) {
    const patch = readJsonPatch(jsonPatch, environment)
    return (content) => applyJsonPatch(content, patch)
  }
  const content = Buffer.from(text)
  return (old) => (old.equals(content) ? undefined : content)
}

function rewriteBy(edit: Edit): HttpVerdict {
  const rewrite = ({ content: old }: Rewrite): { content: Buffer } | undefined => {
    const content = edit(old)
    return content && { content }
  }
  return { kind: 'rewrite', action: 'corrupt', rewrite }
}

// ---- text --------------------------------------------------------------------------------------------------------

/** What a replacement may make of a body; it passes unchanged if it would become more. */
const MAX_REPLACED_BYTES = 16 * 1024 * 1024

/** Byte by byte, so that what is around the text stays as it is in any charset. */
function replacing(find: string, replacement: string): Edit {
  const separator = Buffer.from(find).toString('latin1')
  const glue = Buffer.from(replacement).toString('latin1')
  return (content) => {
    const parts = content.toString('latin1').split(separator)
    const bytes = content.length + (parts.length - 1) * (glue.length - separator.length)
    return parts.length === 1 || bytes > MAX_REPLACED_BYTES ? undefined : Buffer.from(parts.join(glue), 'latin1')
  }
}

// ---- bits --------------------------------------------------------------------------------------------------------

/** Plain content streams through; what is coded must be decoded as a whole first. */
function flip(rate: number, { head, number }: HttpMessage, context: { readonly random: Random }): HttpVerdict {
  const coding = head.header('content-encoding')?.toLowerCase() ?? 'identity'
  if (coding === 'identity') return { kind: 'stages', body: (stage) => new FlipStage(rate, stage) }
  // The generator is that of the connection: each message has its own range.
  const firstPosition = number * 2 ** 32
  return rewriteBy((content) => flipBytes(content, rate, context.random, firstPosition)?.bytes)
}

class FlipStage extends Stage<number> {
  #offset = 0
  #recorded = false

  override write(chunk: Buffer): void {
    const flipped = flipBytes(chunk, this.attributes, this.context.random, this.#offset)
    if (flipped && !this.#recorded) {
      this.#recorded = true
      this.context.record('corrupt', { offset: this.#offset + flipped.first })
    }
    this.#offset += chunk.length
    this.next.write(flipped?.bytes ?? chunk)
  }
}

/** A copy with bits flipped, and the index of the first byte that differs; undefined if none does. */
function flipBytes(
  content: Buffer,
  rate: number,
  random: Random,
  firstPosition: number,
): { readonly bytes: Buffer; readonly first: number } | undefined {
  let flipped: { readonly bytes: Buffer; readonly first: number } | undefined
  for (let index = 0; index < content.length; index++) {
    const draw = random.at(firstPosition + index)
    if (draw >= rate) continue
    flipped ??= { bytes: Buffer.from(content), first: index }
    // Below the rate the draw is even again: it says which bits, at least one.
    flipped.bytes[index] = (flipped.bytes[index] ?? 0) ^ (1 + Math.floor((draw / rate) * 255))
  }
  return flipped
}
