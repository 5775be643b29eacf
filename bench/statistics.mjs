// Medians, percentiles and ratios. Samples that could not be measured are null and are left out.

/** @param {(number | null | undefined)[]} values @returns {number[]} the measured ones, ascending */
export function sorted(values) {
  return values.filter((value) => Number.isFinite(value)).toSorted((a, b) => a - b)
}

/** @param {(number | null | undefined)[]} values @returns {number | null} null when nothing was measured */
export function median(values) {
  const ascending = sorted(values)
  if (ascending.length === 0) return null
  const middle = ascending.length >> 1
  return ascending.length % 2 === 1 ? ascending[middle] : (ascending[middle - 1] + ascending[middle]) / 2
}

/**
 * The nearest-rank percentile.
 *
 * @param {(number | null | undefined)[]} values
 * @param {number} percent 0 to 100
 */
export function percentile(values, percent) {
  const ascending = sorted(values)
  if (ascending.length === 0) return null
  const rank = Math.ceil((percent / 100) * ascending.length)
  return ascending[Math.max(0, rank - 1)]
}

/**
 * Combines the samples of two targets round by round: what was measured within the same half minute is compared,
 * so that a machine which is slower in one round than in the next does not enter the result.
 *
 * @param {(number | null)[]} ours one value a round
 * @param {(number | null)[]} theirs one value a round
 * @param {(a: number, b: number) => number} combine
 * @returns {{ median: number, min: number, max: number } | null}
 */
export function pairwise(ours, theirs, combine) {
  const pairs = ours.map((value, round) => {
    const other = theirs[round]
    return Number.isFinite(value) && Number.isFinite(other) ? combine(value, other) : null
  })
  return summary(pairs)
}

/** The ratio of two targets, round by round. */
export function pairwiseRatio(ours, theirs) {
  return pairwise(ours, theirs, (a, b) => a / b)
}

/** @param {(number | null)[]} values @returns {{ median: number, min: number, max: number } | null} */
export function summary(values) {
  const ascending = sorted(values)
  if (ascending.length === 0) return null
  return { median: median(ascending), min: ascending[0], max: ascending.at(-1) }
}
