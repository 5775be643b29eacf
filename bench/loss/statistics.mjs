// How far two samples are apart.

/** What the two may differ by in time before it counts: 5 ms and 5 %. */
const TOLERANCE_MS = 5
const TOLERANCE_RATIO = 1.05

/**
 * The Kolmogorov-Smirnov distance with a tolerance: the largest amount by which the share of one sample below x exceeds
 * the share of the other below 1.05 x + 5 ms, in either direction. 0 = alike, 1 = nothing in common.
 *
 * @param {number[]} a milliseconds
 * @param {number[]} b milliseconds
 */
export function kolmogorovSmirnov(a, b) {
  const x = a.toSorted((one, other) => one - other)
  const y = b.toSorted((one, other) => one - other)
  return Math.max(excess(x, y), excess(y, x))
}

/** The largest F1(x) - F2(1.05 x + 5 ms). F1 rises only at its own samples, so these are the places to look. */
function excess(ascending, others) {
  let largest = 0
  let below = 0
  for (const [index, value] of ascending.entries()) {
    const limit = value * TOLERANCE_RATIO + TOLERANCE_MS
    while (below < others.length && others[below] <= limit) below++
    largest = Math.max(largest, (index + 1) / ascending.length - below / others.length)
  }
  return largest
}

/** @param {number} share 0 to 1 */
export function quantile(values, share) {
  const ascending = values.toSorted((a, b) => a - b)
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))]
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
