// Delays drawn from a distribution: the attributes for schemas, and the drawing, which is a function of a position.
import { Type } from '@sinclair/typebox'
import { invalidField, type FaultEnvironment } from './faults/fault.ts'
import type { Random } from './random.ts'

/** Nothing waits longer than an hour, whatever a distribution's tail says. */
export const MAX_DELAY_MS = 3_600_000

/** How delays spread. `delayMs` and `jitterMs` mean something else with each of them; see {@link drawDelayMs}. */
export type Distribution = 'uniform' | 'normal' | 'lognormal' | 'pareto'

export interface Delay {
  readonly delayMs: number
  readonly jitterMs: number
  readonly distribution: Distribution
  readonly sigma: number
  readonly shape: number
}

/** For the schema of a fault that has its own attributes for delay and jitter. */
export const distributionFields = {
  distribution: Type.Union(
    [Type.Literal('uniform'), Type.Literal('normal'), Type.Literal('lognormal'), Type.Literal('pareto')],
    {
      default: 'uniform',
      description:
        'How delays spread. uniform: evenly in delay ± jitter. normal: delay is the mean, jitter the standard ' +
        'deviation. lognormal: delay is the median, sigma says how far they spread. pareto: delay is the least, shape ' +
        'says how heavy the tail is.',
    },
  ),
  sigma: Type.Number({
    default: 0.5,
    minimum: 0,
    maximum: 10,
    description:
      'With lognormal: standard deviation of the logarithm; at 0.5 one delay in 40 is above 2.7 × the median.',
  }),
  shape: Type.Number({
    default: 3,
    minimum: 0.1,
    maximum: 100,
    description:
      'With pareto: the exponent; the smaller, the heavier the tail. At 3 one delay in 1000 is above 10 × the least.',
  }),
}

/** For the schema of a fault that delays. */
export const delayFields = {
  delayMs: Type.Integer({ minimum: 0, maximum: MAX_DELAY_MS, description: 'Delay in milliseconds; see distribution.' }),
  jitterMs: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: MAX_DELAY_MS,
    description: 'With uniform and normal: how far delays spread, in milliseconds.',
  }),
  ...distributionFields,
}

/** Second numbers are drawn this far behind all positions. */
const SECOND_NUMBERS = 2 ** 52

/**
 * The delay that belongs to a position (an integer ≥ 0, below 2^52), in whole milliseconds from 0 to
 * {@link MAX_DELAY_MS}.
 *
 * - `uniform`: every whole number of milliseconds in `delayMs` ± `jitterMs` alike.
 * - `normal`: mean `delayMs`, standard deviation `jitterMs`.
 * - `lognormal`: median `delayMs`; the delay's logarithm has the standard deviation `sigma`.
 * - `pareto` (type I): at least `delayMs`; above `x` times that with probability `x` to the power of -`shape`.
 *
 * @param context its generator is only asked for if something is to be drawn
 */
export function drawDelayMs(delay: Delay, context: { readonly random: Random }, position: number): number {
  return Math.round(Math.min(MAX_DELAY_MS, Math.max(0, drawUnbounded(delay, context, position))))
}

function drawUnbounded(delay: Delay, context: { readonly random: Random }, position: number): number {
  const { delayMs, jitterMs, distribution, sigma, shape } = delay
  switch (distribution) {
    case 'uniform':
      if (jitterMs === 0) return delayMs
      return delayMs + Math.floor(context.random.at(position) * (2 * jitterMs + 1)) - jitterMs
    case 'normal':
      return jitterMs === 0 ? delayMs : delayMs + jitterMs * drawNormal(context.random, position)
    case 'lognormal':
      return delayMs * Math.exp(sigma * drawNormal(context.random, position))
    default:
      return delayMs / (1 - context.random.at(position)) ** (1 / shape)
  }
}

/** Mean 0, standard deviation 1 (G. Box, M. Muller: A Note on the Generation of Random Normal Deviates, 1958). */
function drawNormal(random: Random, position: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.at(position)))
  return radius * Math.cos(2 * Math.PI * random.at(position + SECOND_NUMBERS))
}

/** @throws FaultlineError for a jitter that its distribution does not use, rather than ignoring it */
export function checkDelay({ jitterMs, distribution }: Delay, environment: FaultEnvironment): void {
  if (jitterMs === 0 || distribution === 'uniform' || distribution === 'normal') return
  const instead = distribution === 'lognormal' ? 'sigma' : 'shape'
  throw invalidField(environment.field('jitterMs'), `0, as with ${distribution} delays spread by ${instead}`, jitterMs)
}
