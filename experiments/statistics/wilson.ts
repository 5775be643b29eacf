// The Wilson score interval: what a share may be in truth, given so many of so many. It holds for few, and for none.
// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).

/** Lower and upper bound. */
export type Interval = readonly [number, number]

/** 97.5 % of a normal distribution are below so many standard deviations: leaves 95 % in the middle. */
export const Z_95 = 1.959963984540054

/**
 * The 95 % interval of a share; of none at all it is anything from 0 to 1.
 *
 * @param hits from 0 to `n`
 */
export function wilsonInterval(hits: number, n: number): Interval {
  if (n === 0) return [0, 1]
  const share = hits / n
  const square = Z_95 ** 2
  const center = share + square / (2 * n)
  const reach = Z_95 * Math.sqrt((share * (1 - share)) / n + square / (4 * n ** 2))
  const scale = 1 + square / n
  // Exactly 0 and 1 at the ends, whatever rounding would leave there.
  return [hits === 0 ? 0 : (center - reach) / scale, hits === n ? 1 : (center + reach) / scale]
}
