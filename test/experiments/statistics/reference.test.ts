// Statistics against independent implementations, on fixed data. Figures: SciPy 1.17.1 (binomtest, mannwhitneyu) and
// arch 8.0.0 (MovingBlockBootstrap, 20,000 draws, percentiles by "inverted_cdf").
import { describe, expect, test } from 'vitest'
import { estimateDifference, estimateQuantile } from '../../../experiments/statistics/bootstrap.ts'
import { mannWhitney } from '../../../experiments/statistics/mann-whitney.ts'
import { wilsonInterval } from '../../../experiments/statistics/wilson.ts'
import { Random } from '../../../proxy/random.ts'

describe('Wilson intervals', () => {
  test.each([
    [0, 30, 0, 0.11351339317396875],
    [0, 72, 0, 0.0506511725964578],
    [0, 73, 0, 0.04999200795573111],
    [1, 10, 0.017876213095072896, 0.4041500267952385],
    [5, 100, 0.021543679154367973, 0.11175046923191914],
    [17, 600, 0.017763940161484772, 0.04490393112810623],
    [570, 600, 0.929519736872264, 0.9647547322154052],
    [30, 30, 0.8864866068260312, 1],
  ])('%i of %i', (hits, n, low, high) => {
    const interval = wilsonInterval(hits, n)
    expect(interval[0]).toBeCloseTo(low, 12)
    expect(interval[1]).toBeCloseTo(high, 12)
  })

  test('of nothing at all it may be anything', () => {
    expect(wilsonInterval(0, 0)).toEqual([0, 1])
  })
})

/** Whole numbers in a fixed disorder, as tenths. */
function disorder(n: number, factor: number, modulus: number, offset = 0): number[] {
  return Array.from({ length: n }, (_, index) => ((index * factor) % modulus) / 10 + offset)
}

describe('Mann-Whitney', () => {
  const untied = [
    [12.1, 9.8, 11.4, 10.2, 13.7, 9.9, 10.8, 11.9],
    [14.2, 12.9, 11, 15.8, 13.1, 16.4, 12.2],
  ] as const
  const tied = [
    [10, 10, 11, 12, 12, 12, 13, 15, 15, 20],
    [12, 13, 13, 15, 15, 16, 18, 20, 20, 20, 25],
  ] as const
  const twenty = [
    Array.from({ length: 20 }, (_, i) => i * 1.01 + ((i * 37) % 11) + 0.001 * i * i),
    Array.from({ length: 20 }, (_, i) => i * 1.13 + 3 + ((i * 53) % 13) + 0.0013 * i * i),
  ] as const
  const many = [disorder(60, 7919, 101), disorder(45, 6007, 97, 1.5)] as const

  test.each([
    ['7 and 8 without ties', untied, 49, 0.013986013986013986, 'exact', 0.75, 'large'],
    [
      '3 and 3, the least there is',
      [
        [1, 2, 3],
        [4, 5, 6],
      ] as const,
      9,
      0.1,
      'exact',
      1,
      'large',
    ],
    ['20 and 20 without ties', twenty, 259, 0.11425448053585593, 'exact', 0.295, 'small'],
    ['ties', tied, 90, 0.013990644627986602, 'asymptotic', 0.6363636363636365, 'large'],
    ['many', many, 1753.5, 0.009062777008498783, 'asymptotic', 0.298888888888889, 'small'],
    [
      'all the same',
      [
        [5, 5, 5, 5],
        [5, 5, 5, 5, 5, 5],
      ] as const,
      12,
      1,
      'asymptotic',
      0,
      'negligible',
    ],
  ] as const)('%s', (_name, [first, second], u, p, method, delta, magnitude) => {
    const found = mannWhitney(first, second)
    expect(found).toMatchObject({ u, method, magnitude })
    expect(found?.delta).toBeCloseTo(delta, 12)
    // The normal distribution's tail is an approximation, good to seven digits.
    expect(found?.p).toBeCloseTo(p, method === 'exact' ? 12 : 6)
  })

  test('of an empty sample there is nothing to say', () => {
    expect(mannWhitney([], [1])).toBeNull()
  })
})

describe('moving-block bootstrap', () => {
  const before = disorder(600, 7919, 101, 10)
  // A stall of thirty attempts, just about the twentieth part: block by block it is in a draw or not.
  const during = disorder(600, 6007, 97, 10).map((value, index) => (index >= 300 && index < 330 ? value + 200 : value))

  // Draws differ: what may be off is what two independent sets of draws differed by, with room.
  test.each([
    ['steady', before, 0.95, 9, 19.5, [19.3, 19.7], 0.1],
    ['steady', before, 0.95, 20, 19.5, [19.4, 19.7], 0.1],
    ['steady', before, 0.99, 20, 19.9, [19.9, 20], 0.1],
    ['stalled', during, 0.95, 9, 19.6, [19.2, 215.4], 0.5],
    ['stalled', during, 0.95, 20, 19.6, [19.1, 216.1], 0.5],
    ['stalled', during, 0.99, 9, 217.5, [19.6, 218.9], 0.3],
    ['stalled', during, 0.99, 20, 217.5, [19.5, 218.9], 0.3],
  ] as const)('%s: quantile %s, blocks of %s', (_name, series, quantile, blockLength, measured, interval, slack) => {
    const random = new Random(7, 'bootstrap')
    const found = estimateQuantile(series, { quantile, random, blockLength, resamples: 4000 })
    expect(found?.measured).toBeCloseTo(measured, 9)
    expectNear(found?.interval, interval, slack)
  })

  test.each([
    [0.95, 0.1, [-0.5, 196.5], 0.5],
    [0.99, 197.6, [-0.5, 199], 0.5],
  ] as const)('difference at %f', (quantile, measured, interval, slack) => {
    const random = new Random(7, 'bootstrap')
    const found = estimateDifference(before, during, { quantile, random, blockLength: 20, resamples: 4000 })
    expect(found?.measured).toBeCloseTo(measured, 9)
    expectNear(found?.interval, interval, slack)
  })

  test('single values in place of blocks would hide how little a stall says', () => {
    const random = new Random(7, 'bootstrap')
    const found = estimateQuantile(during, { quantile: 0.99, random, blockLength: 1 })
    // As if thirty independent attempts had been slow: sure of what one stall was.
    expect(found?.interval?.[0]).toBeGreaterThan(200)
  })

  test('the same seed draws the same, another seed something else', () => {
    const series = Array.from({ length: 600 }, (_, index) => Math.sqrt((index * 7919) % 10_007))
    const [first, again, other] = [1, 1, 2].map((seed) =>
      estimateQuantile(series, { quantile: 0.95, random: new Random(seed), blockLength: 20, resamples: 100 }),
    )
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
  })

  test('a percentile of fewer values than can show it has no interval', () => {
    const options = { quantile: 0.99, random: new Random(1) }
    expect(estimateQuantile(disorder(367, 7919, 101), options)?.interval).toBeNull()
    expect(estimateQuantile(disorder(368, 7919, 101), options)?.interval).not.toBeNull()
    expect(estimateDifference([], before, options)).toBeNull()
  })
})

function expectNear(interval: readonly number[] | null | undefined, truth: readonly number[], slack: number): void {
  expect(Math.abs(interval![0]! - truth[0]!)).toBeLessThanOrEqual(slack + 1e-9)
  expect(Math.abs(interval![1]! - truth[1]!)).toBeLessThanOrEqual(slack + 1e-9)
}
