// The Mann-Whitney U test: whether the values of one sample tend to be above those of another; and by how much, as the
// test alone says nothing of that. No assumption on how values are distributed.
// Source: H. B. Mann, D. R. Whitney, Ann. Math. Statist. 18 (1947); N. Cliff, Psychol. Bull. 114 (1993) for the effect.
import { errorFunction, wilcoxonRankSum } from 'simple-statistics'

/** By J. Romano et al. (2006): |delta| below 0.147, 0.33, 0.474, and above. */
export type Magnitude = 'negligible' | 'small' | 'medium' | 'large'

export interface MannWhitney {
  /** Of the second sample: in so many pairs its value is above the first one's; ties are halves. */
  readonly u: number
  /** Two-sided. */
  readonly p: number
  /** How `p` was found: counted, or by the normal distribution with corrections for ties and continuity. */
  readonly method: 'exact' | 'asymptotic'
  /**
   * Cliff's delta, which is the rank-biserial correlation: the share of pairs in which the second is above the first less
   * that in which it is below. From -1 to 1.
   */
  readonly delta: number
  readonly magnitude: Magnitude
}

/** Without ties, and up to so many pairs, all arrangements can be counted: 20 against 20. */
const MAX_EXACT_PAIRS = 400

/** Null: a sample is empty. */
export function mannWhitney(first: readonly number[], second: readonly number[]): MannWhitney | null {
  const [m, n] = [first.length, second.length]
  if (m === 0 || n === 0) return null
  const u = wilcoxonRankSum([...second], [...first]) - (n * (n + 1)) / 2
  const ties = tieSizes([...first, ...second])
  const isExact = ties.every((size) => size === 1) && m * n <= MAX_EXACT_PAIRS
  const delta = (2 * u) / (m * n) - 1
  return {
    u,
    p: isExact ? exactP(u, m, n) : asymptoticP(u, m, n, ties),
    method: isExact ? 'exact' : 'asymptotic',
    delta,
    magnitude: magnitudeOf(Math.abs(delta)),
  }
}

function magnitudeOf(delta: number): Magnitude {
  if (delta < 0.147) return 'negligible'
  if (delta < 0.33) return 'small'
  return delta < 0.474 ? 'medium' : 'large'
}

function tieSizes(values: readonly number[]): number[] {
  const sizes = new Map<number, number>()
  for (const value of values) sizes.set(value, (sizes.get(value) ?? 0) + 1)
  return [...sizes.values()]
}

function asymptoticP(u: number, m: number, n: number, ties: readonly number[]): number {
  const total = m + n
  const tied = ties.reduce((sum, size) => sum + size ** 3 - size, 0)
  const deviation = Math.sqrt(((m * n) / 12) * (total + 1 - tied / (total * (total - 1))))
  if (deviation === 0) return 1 // all values are the same
  const distance = Math.max(0, Math.abs(u - (m * n) / 2) - 0.5)
  return 1 - errorFunction(distance / deviation / Math.SQRT2)
}

/** The share of all arrangements that are at least as far from the middle. */
function exactP(u: number, m: number, n: number): number {
  const arrangements = countArrangements(m, n)
  const atLeast = Math.max(u, m * n - u)
  const total = arrangements.reduce((sum, count) => sum + count, 0)
  const extreme = arrangements.slice(atLeast).reduce((sum, count) => sum + count, 0)
  return Math.min(1, (2 * extreme) / total)
}

/**
 * For each U the number of arrangements that have it: the coefficients of the Gaussian binomial, the product of
 * (1 - q^(n+i)) / (1 - q^i) over i from 1 to m.
 */
function countArrangements(m: number, n: number): number[] {
  const counts = Array.from({ length: m * n + 1 }, () => 0)
  counts[0] = 1
  const at = (index: number): number => counts[index] ?? 0
  for (let i = 1; i <= m; i++) {
    for (let power = m * n; power >= n + i; power--) counts[power] = at(power) - at(power - n - i)
    for (let power = i; power <= m * n; power++) counts[power] = at(power) + at(power - i)
  }
  return counts
}
