// What grows when a fault is ramped up, and what it is at a share of the way.
import type { TObject, TSchema } from '@sinclair/typebox'
import { isObject } from '../../admin/config/mistakes.ts'
import type { FaultDefinition } from '../../proxy/faults/fault.ts'
import type { FaultAction, PlainFaultSpec, RampStart } from './experiment.ts'
import type { Reading } from './reading.ts'

/** Attributes that make a fault hard, and that grow from 0 if nothing is said of them. Other faults get likelier. */
const growing: Readonly<Record<string, readonly string[]>> = {
  latency: ['latency', 'jitter'],
  connect_delay: ['delayMs'],
  slow_close: ['delay'],
  http_delay: ['delayMs', 'jitterMs'],
  pg_delay: ['delayMs', 'jitterMs'],
  packet_loss: ['loss'],
  corrupt: ['rate'],
  drop: ['rate'],
  duplicate: ['rate'],
  reorder: ['rate'],
}

/**
 * @param from what the file says of it
 * @returns undefined if something is wrong, which is on record
 */
export function readRampStart(
  reading: Reading,
  spec: PlainFaultSpec,
  from: Partial<RampStart> | undefined,
  path: string,
): RampStart | undefined {
  if (!from) return usualStart(spec)
  const { attributes = {}, probability } = from
  const before = reading.mistakes.errors.length
  for (const [name, value] of Object.entries(attributes)) {
    const field = `${path}.attributes.${name}`
    if (typeof value !== 'number') reading.refuse(field, 'a number', value)
    else if (typeof spec.attributes?.[name] !== 'number') {
      reading.refuse(field, `an attribute of the fault that is a number, as ${name} is not`, value)
    }
  }
  if (probability === undefined && Object.keys(attributes).length === 0) {
    reading.refuse(path, 'attributes or a probability to grow from', from)
  }
  if (reading.mistakes.errors.length > before) return undefined
  return { attributes, ...(probability !== undefined && { probability }) }
}

function usualStart({ type, attributes = {} }: PlainFaultSpec): RampStart {
  const names = (growing[type] ?? []).filter((name) => typeof attributes[name] === 'number')
  if (names.length === 0) return { attributes: {}, probability: 0 }
  return { attributes: Object.fromEntries(names.map((name) => [name, 0])) }
}

/** The part of a fault that grows, as it is at this share of its ramp, 0 to 1. */
export function rampedTo(
  { spec, rampFrom }: FaultAction,
  definition: FaultDefinition | undefined,
  share: number,
): Pick<PlainFaultSpec, 'attributes' | 'probability'> {
  if (!rampFrom) return {}
  const between = (from: number, to: number): number => from + (to - from) * Math.min(1, Math.max(0, share))
  const { properties = {} } = (definition?.schema ?? {}) as Partial<TObject>
  const attributes = Object.entries(rampFrom.attributes).map(([name, from]) => {
    const value = between(from, Number(spec.attributes?.[name]))
    return [name, isInteger(properties[name]) ? Math.round(value) : value] as const
  })
  return {
    ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
    ...(rampFrom.probability !== undefined && { probability: between(rampFrom.probability, spec.probability ?? 1) }),
  }
}

function isInteger(schema: TSchema | undefined): boolean {
  return isObject(schema) && (schema['type'] === 'integer' || JSON.stringify(schema).includes('"integer"'))
}
