// Attributes that several faults of HTTP have, and rules about which go together.
import { Type as Schema } from '@sinclair/typebox'
import { invalidField, type FaultEnvironment, type HttpMessage, type HttpPhase } from './http-fault.ts'

const request = Schema.Literal('request')
const response = Schema.Literal('response')

export function phaseField(byDefault: HttpPhase, description: string) {
  return Schema.Union([request, response], { default: byDefault, description })
}

/** For faults of bodies: messages without one are not counted. */
export function hasBody({ body }: HttpMessage): boolean {
  return body !== 'none'
}

/** How a connection ends. */
export type EndMode = 'rst' | 'fin'

export function endField(byDefault: EndMode) {
  return Schema.Union([Schema.Literal('rst'), Schema.Literal('fin')], {
    default: byDefault,
    description: 'How the connection ends: by RST (connection reset by peer) or by FIN, in good order.',
  })
}

export function endSignal(mode: EndMode): 'reset' | 'close' {
  return mode === 'rst' ? 'reset' : 'close'
}

/** An answer's final status (RFC 9110 section 15): 1xx only announces one. */
export function statusField(options: { readonly default?: number; readonly description: string }) {
  return Schema.Integer({ minimum: 200, maximum: 599, ...options })
}

export const reasonField = Schema.Optional(
  Schema.String({ maxLength: 1000, description: 'The words behind the status. Default: the usual ones.' }),
)

/** @throws FaultlineError for a reason that would break the head */
export function checkReason(reason: string | undefined, environment: FaultEnvironment): void {
  if (reason === undefined || FIELD_TEXT.test(reason)) return
  throw invalidField(environment.field('reason'), 'characters of Latin-1 without line ends and other controls', reason)
}

/** What may stand in a head's line behind its name or status (RFC 9110 section 5.5); heads are written in Latin-1. */
// oxlint-disable-next-line no-control-regex -- the controls are what this is about
export const FIELD_TEXT = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * The one of these attributes that has been given, or undefined.
 *
 * @throws FaultlineError naming the second one, if there are more
 */
export function givenOf<Name extends string>(
  attributes: Readonly<Partial<Record<Name, unknown>>>,
  names: readonly Name[],
  environment: FaultEnvironment,
): Name | undefined {
  const [first, second] = names.filter((name) => attributes[name] !== undefined)
  if (second === undefined) return first
  throw invalidField(environment.field(second), `nothing, as ${first} is given`, attributes[second])
}
