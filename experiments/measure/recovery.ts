// How long a service takes to be well again once a fault is gone.
import type { Attempt } from '../model.ts'
import { endOf } from './outages.ts'

export interface Recovery {
  /** Until the first good answer. */
  readonly firstMs: number | null
  /** Until the first of so many good attempts in a row whose p95 is back in the baseline's band. */
  readonly stableMs: number | null
}

/** So many attempts are looked at together. Their p95 is the longest of them. */
export const STABLE_ATTEMPTS = 10

/** Chance alone keeps a service that is well out of its band for one in a hundred rows of attempts… */
const BAND_QUANTILE = 0.99
/** …and machines are not the same from minute to minute. */
const BAND_MARGIN = 1.1

/**
 * The p95 that a row of good attempts may have to count as usual, in milliseconds: what it was in the baseline at most,
 * but for one row in a hundred, and a tenth more. Null: the baseline has no such row.
 *
 * @param baseline attempts of one probe, in the order of their starts
 */
export function baselineBand(baseline: readonly Attempt[], inARow = STABLE_ATTEMPTS): number | null {
  const latencies = baseline.filter(({ outcome }) => outcome === 'good').map(({ latencyMs }) => latencyMs)
  const rows = Array.from({ length: Math.max(0, latencies.length - inARow + 1) }, (_, from) =>
    nearestRank(latencies.slice(from, from + inARow), 0.95),
  )
  return rows.length === 0 ? null : nearestRank(rows, BAND_QUANTILE) * BAND_MARGIN
}

/**
 * Times from `removedMs` on, in milliseconds; null: it has not come to that.
 *
 * @param attempts of one probe, in the order of their starts
 * @param bandMs null: any latency is usual
 */
export function findRecovery(
  attempts: readonly Attempt[],
  removedMs: number,
  bandMs: number | null,
  inARow = STABLE_ATTEMPTS,
): Recovery {
  const goodEnds = attempts.filter(({ outcome }) => outcome === 'good').map(endOf)
  const firstEndMs = goodEnds.filter((ms) => ms >= removedMs).reduce((a, b) => Math.min(a, b), Infinity)
  if (firstEndMs === Infinity) return { firstMs: null, stableMs: null }
  const firstMs = firstEndMs - removedMs
  const startMs = firstStableStart(attempts, removedMs, bandMs ?? Infinity, inARow)
  // A start that turned out well is no earlier a sign than the first answer.
  return { firstMs, stableMs: startMs === undefined ? null : Math.max(firstMs, startMs - removedMs) }
}

function firstStableStart(
  attempts: readonly Attempt[],
  removedMs: number,
  bandMs: number,
  inARow: number,
): number | undefined {
  const after = attempts.filter(({ intendedMs }) => intendedMs >= removedMs)
  for (let from = 0; from + inARow <= after.length; from++) {
    const row = after.slice(from, from + inARow)
    if (row.some(({ outcome }) => outcome !== 'good')) continue
    const p95Ms = nearestRank(
      row.map(({ latencyMs }) => latencyMs),
      0.95,
    )
    if (p95Ms <= bandMs) return row[0]?.intendedMs
  }
  return undefined
}

/** A whole is well again when the last of its parts is. */
export function uniteRecoveries(parts: readonly Recovery[]): Recovery {
  return { firstMs: latest(parts.map((part) => part.firstMs)), stableMs: latest(parts.map((part) => part.stableMs)) }
}

function latest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null)
  return known.length === 0 || known.length < times.length ? null : Math.max(...known)
}

/** The value that the given share of all is not above, as HDR histograms have it. */
function nearestRank(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
