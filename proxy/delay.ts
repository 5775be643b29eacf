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

const DEFAULT_SIGMA = 0.5
const DEFAULT_SHAPE = 3

const distributions = [
  Type.Literal('uniform'),
  Type.Literal('normal'),
  Type.Literal('lognormal'),
  Type.Literal('pareto'),
] as const

const aboutDistribution =
  'How delays spread. uniform: evenly in delay ± jitter. normal: delay is the mean, jitter the standard ' +
  'deviation. lognormal: delay is the median, sigma says how far they spread. pareto: delay is the least, shape ' +
  'says how heavy the tail is.'
const sigmaOptions = {
  minimum: 0,
  maximum: 10,
  description: 'With lognormal: standard deviation of the logarithm; at 0.5 one delay in 40 is above 2.7 × the median.',
}
const shapeOptions = {
  minimum: 0.1,
  maximum: 100,
  description:
    'With pareto: the exponent; the smaller, the heavier the tail. At 3 one delay in 1000 is above 10 × the least.',
}

/** For the schema of a fault that has its own attributes for delay and jitter. */
export const distributionFields = {
  distribution: Type.Union([...distributions], { default: 'uniform', description: aboutDistribution }),
  sigma: Type.Number({ default: DEFAULT_SIGMA, ...sigmaOptions }),
  shape: Type.Number({ default: DEFAULT_SHAPE, ...shapeOptions }),
}

/** The same for a fault whose attributes are shown to clients that know none of these: absent unless given. */
export const optionalDistributionFields = {
  distribution: Type.Optional(Type.Union([...distributions], { description: `${aboutDistribution} Default uniform.` })),
  sigma: Type.Optional(
    Type.Number({ ...sigmaOptions, description: `${sigmaOptions.description} Default ${DEFAULT_SIGMA}.` }),
  ),
  shape: Type.Optional(
    Type.Number({ ...shapeOptions, description: `${shapeOptions.description} Default ${DEFAULT_SHAPE}.` }),
  ),
}

/** A delay of which only the length has to be given. Negative lengths are as 0. */
export function completeDelay({
  delayMs,
  jitterMs = 0,
  distribution = 'uniform',
  sigma = DEFAULT_SIGMA,
  shape = DEFAULT_SHAPE,
}: Partial<Delay> & Pick<Delay, 'delayMs'>): Delay {
  return { delayMs: Math.max(0, delayMs), jitterMs: Math.max(0, jitterMs), distribution, sigma, shape }
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

/** No share is smaller, as rounding would make some 0 or less. */
const MIN_SHARE = 1e-12

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
  const { delayMs, jitterMs, distribution } = delay
  switch (distribution) {
    case 'uniform':
      return bounded(jitterMs === 0 ? delayMs : uniformMs(delay, context.random.at(position)))
    case 'normal':
      return bounded(jitterMs === 0 ? delayMs : normalMs(delay, drawNormal(context.random, position)))
    case 'lognormal':
      return bounded(lognormalMs(delay, drawNormal(context.random, position)))
    default:
      return bounded(paretoMs(delay, 1 - context.random.at(position)))
  }
}

/** The delay that as many of 1 lie below as of a standard normal distribution lie below `normal`, unbounded. */
function delayAtMs(delay: Delay, normal: number): number {
  switch (delay.distribution) {
    case 'uniform':
      return uniformMs(delay, shareBelow(normal))
    case 'normal':
      return normalMs(delay, normal)
    case 'lognormal':
      return lognormalMs(delay, normal)
    default:
      return paretoMs(delay, shareBelow(-normal))
  }
}

function bounded(delayMs: number): number {
  return Math.round(Math.min(MAX_DELAY_MS, Math.max(0, delayMs)))
}

/** @param share from 0 to below 1 */
function uniformMs({ delayMs, jitterMs }: Delay, share: number): number {
  return delayMs + Math.min(Math.floor(share * (2 * jitterMs + 1)), 2 * jitterMs) - jitterMs
}

function normalMs({ delayMs, jitterMs }: Delay, normal: number): number {
  return delayMs + jitterMs * normal
}

function lognormalMs({ delayMs, sigma }: Delay, normal: number): number {
  return delayMs * Math.exp(sigma * normal)
}

/** @param shareAbove of delays that are longer */
function paretoMs({ delayMs, shape }: Delay, shareAbove: number): number {
  return delayMs === 0 ? 0 : delayMs / shareAbove ** (1 / shape)
}

/** A delay that hardly one in a thousand exceeds; with `uniform` none does. */
export function longDelayMs(delay: Delay): number {
  if (delay.distribution === 'uniform') return delay.delayMs + delay.jitterMs
  return bounded(delayAtMs(delay, 3.1))
}

/**
 * Delays of which each resembles the one before, while all of them spread exactly as {@link drawDelayMs} says.
 *
 * What follows its predecessor is a normally distributed number (a first-order autoregressive process, which keeps its
 * distribution); the delay is the one of the same rank. (netem mixes uniform numbers, which narrows their spread.)
 */
export class DelaySequence {
  /** Behind the last delay. */
  #normal: number | undefined

  /**
   * @param correlation 0 to 1, of a delay with the one before. With `pareto` that of their ranks, as the plain one does
   *   not exist with heavy tails.
   * @param position as with {@link drawDelayMs}
   */
  drawMs(delay: Delay, correlation: number, context: { readonly random: Random }, position: number): number {
    if (correlation <= 0) {
      this.#normal = undefined
      return drawDelayMs(delay, context, position)
    }
    const share = Math.min(1, normalCorrelation(delay, correlation))
    const drawn = drawNormal(context.random, position)
    const last = this.#normal
    this.#normal = last === undefined ? drawn : share * last + Math.sqrt(1 - share * share) * drawn
    return bounded(delayAtMs(delay, this.#normal))
  }
}

/** How far normally distributed numbers have to be correlated for the delays of the same ranks to be so. */
function normalCorrelation({ distribution, sigma }: Delay, correlation: number): number {
  if (distribution === 'normal') return correlation
  if (distribution === 'lognormal') {
    const variance = sigma * sigma
    return variance === 0 ? correlation : Math.log1p(correlation * Math.expm1(variance)) / variance
  }
  // K. Pearson: On Further Methods of Determining Correlation, 1907.
  return 2 * Math.sin((Math.PI / 6) * correlation)
}

/** The share of a standard normal distribution that lies below (G. Marsaglia: Evaluating the Normal Distribution, 2004). */
function shareBelow(normal: number): number {
  // Beyond this the series would be off by more than what it adds up to.
  const x = Math.min(7, Math.max(-7, normal))
  let sum = x
  let term = x
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (x * x) / odd
    sum += term
  }
  return Math.max(MIN_SHARE, 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI))
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
