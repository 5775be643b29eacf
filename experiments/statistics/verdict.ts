// Three answers to whether something is within its threshold: pass and fail only if the whole interval is on one side.
import type { Verdict, VerdictResult } from '../model.ts'
import type { Interval } from './wilson.ts'

/** Which side of the threshold is the good one. The threshold itself is good. */
export type Allowed = 'at most' | 'at least'

/** Null: nothing is known. */
export function compare(interval: Interval | null, threshold: number, allowed: Allowed): VerdictResult {
  if (!interval) return 'inconclusive'
  const [low, high] = interval
  if (allowed === 'at most') return high <= threshold ? 'pass' : low > threshold ? 'fail' : 'inconclusive'
  return low >= threshold ? 'pass' : high < threshold ? 'fail' : 'inconclusive'
}

/** What there is to say of an SLO, but for its result and its last words. */
export interface Judgement {
  readonly slo: string
  readonly measured: number | null
  readonly threshold: number
  readonly interval: Interval | null
  readonly n: number
  readonly allowed: Allowed
  /** What was seen, without the threshold. */
  readonly seen: string
  /** The threshold in words, e.g. `5 %`. */
  readonly thresholdText: string
  /** Why it can't be told, if it can't. */
  readonly doubt: string
}

export function judge(judgement: Judgement): Verdict {
  const { slo, measured, threshold, interval, n, allowed, seen, thresholdText, doubt } = judgement
  const result = compare(interval, threshold, allowed)
  const limit = `${allowed} ${thresholdText} ${allowed === 'at most' ? 'is allowed' : 'is needed'}`
  const why = result === 'inconclusive' ? `${seen}; ${limit}, and ${doubt}` : `${seen}; ${limit}`
  return { slo, result, measured, threshold, ...(interval && { interval }), n, why: sentence(why) }
}

/** A verdict that is not by an interval. */
export function verdict(result: VerdictResult, parts: Omit<Verdict, 'result'>): Verdict {
  return { ...parts, result, why: sentence(parts.why) }
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

/** E.g. `2.8 %`, `0.05 %`: two digits where there would be none. */
export function percent(share: number): string {
  const value = share * 100
  return `${Number(Math.abs(value) < 1 ? value.toPrecision(2) : value.toFixed(1))} %`
}

/** E.g. `0.35 ms`, `412 ms`, `12.3 s`, `2.5 min`. */
export function duration(ms: number): string {
  const size = Math.abs(ms)
  if (size < 10) return `${Number(ms.toPrecision(2))} ms`
  if (size < 1000) return `${Math.round(ms)} ms`
  return size < 120_000 ? `${Number((ms / 1000).toFixed(1))} s` : `${Number((ms / 60_000).toFixed(1))} min`
}
