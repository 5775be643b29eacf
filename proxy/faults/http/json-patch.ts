// JSON Patch (RFC 6902) on the content of a body.
import { Type as Schema } from '@sinclair/typebox'
import { applyPatch, type Operation } from 'rfc6902'
import { invalidField, type FaultEnvironment } from './http-fault.ts'

/** Patches are applied to a document under this key, as the library can't replace a document as a whole. */
const ROOT = 'root'

/** A document that is copied into itself doubles each time: it passes unchanged rather than grow beyond this. */
const MAX_PATCHED_LENGTH = 2 * 1024 * 1024

const operation = Schema.Union(['add', 'remove', 'replace', 'move', 'copy', 'test'].map((op) => Schema.Literal(op)))

export const jsonPatchField = Schema.Optional(
  Schema.Array(
    Schema.Object({
      op: operation,
      path: Schema.String(),
      from: Schema.Optional(Schema.String()),
      value: Schema.Optional(Schema.Unknown()),
    }),
    {
      minItems: 1,
      maxItems: 100,
      description:
        'JSON Patch (RFC 6902): operations add, remove, replace, move, copy, test. A body that is not JSON, or that one ' +
        'of them does not fit, passes unchanged.',
    },
  ),
)

interface GivenOperation {
  readonly op: string
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/** @throws FaultlineError naming the part of an operation that can't work */
export function readJsonPatch(patch: readonly GivenOperation[], environment: FaultEnvironment): Operation[] {
  return patch.map((given, index) => {
    const field = (part: string): string => environment.field(`jsonPatch.${index}.${part}`)
    const { op, value } = given
    const path = rooted(given.path, field('path'))
    if (op === 'move' || op === 'copy') return { op, path, from: rooted(given.from, field('from')) }
    if (op === 'remove') return { op, path }
    if (value === undefined) throw invalidField(field('value'), `a value, as ${op} needs one`, value)
    return { op, path, value } as Operation
  })
}

/** The patched content; undefined if the patch does not apply to it. */
export function applyJsonPatch(content: Buffer, patch: readonly Operation[]): Buffer | undefined {
  try {
    const document: { [ROOT]?: unknown } = { [ROOT]: JSON.parse(content.toString()) as unknown }
    for (const step of patch) {
      const [error] = applyPatch(document, [step])
      if (error || (step.op === 'copy' && JSON.stringify(document).length > MAX_PATCHED_LENGTH)) return undefined
    }
    const text = JSON.stringify(document[ROOT])
    return text === undefined ? undefined : Buffer.from(text)
  } catch {
    return undefined // no JSON, or nested too deeply
  }
}

/** A JSON Pointer (RFC 6901 section 3), as it is below {@link ROOT}. */
function rooted(pointer: string | undefined, field: string): string {
  if (pointer !== undefined && /^(?:\/(?:[^/~]|~[01])*)*$/.test(pointer)) return `/${ROOT}${pointer}`
  throw invalidField(field, 'a JSON Pointer, e.g. /items/0/price', pointer)
}
