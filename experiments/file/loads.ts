// Reads loads: requests that are made at a rate, which may grow to its full height.
import { joinPath } from '../../proxy/validate.ts'
import { readAsking } from './asking.ts'
import type { LoadAction } from './experiment.ts'
import type { LoadFields } from './fields.ts'
import type { Reading } from './reading.ts'
import { readRate } from './units.ts'

/**
 * @param forMs how long it goes on; undefined: until the end of the phase
 * @returns undefined if something is wrong, which is on record
 */
export async function readLoad(
  reading: Reading,
  fields: LoadFields,
  path: string,
  forMs: number | undefined,
): Promise<LoadAction | undefined> {
  const { ramp, rampFrom, ...asked } = fields
  const before = reading.mistakes.errors.length
  const bounds = forMs === undefined ? {} : { maxMs: forMs, because: 'the time that the load takes' }
  const overMs = reading.duration(ramp, joinPath(path, 'ramp'), 0, bounds)
  if (rampFrom !== undefined && ramp === undefined) {
    reading.refuse(joinPath(path, 'rampFrom'), 'nothing without ramp', rampFrom)
  }
  const from = joinPath(path, 'rampFrom')
  const fromPerSecond = rampFrom === undefined ? 0 : reading.mistakes.collect(from, () => readRate(rampFrom, from))
  const read = await readAsking(reading, asked, 'load', path)
  if (!read || reading.mistakes.errors.length > before) return undefined
  return {
    kind: 'load',
    ...read.asking,
    ...(ramp !== undefined && { ramp: { fromPerSecond: fromPerSecond ?? 0, overMs } }),
  }
}
