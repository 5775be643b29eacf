// Compares runs of the same experiment: each SLO's figure, and whether it is better or worse by more than chance.
import type { Journal, Verdict } from '../model.ts'
import { formatWallTime, NOTHING } from './figures.ts'
import { markdownTable, markdownText } from './markdown-text.ts'
import { formatInterval, formatSlo, sloKind } from './slo.ts'
import { summarize } from './summary.ts'

/**
 * `unclear`: the intervals overlap. `unknown`: one of the two has no figure or no interval. Where nobody knows which way
 * is better, as with a steady state: `higher`, `lower`.
 */
export type Change = 'better' | 'worse' | 'higher' | 'lower' | 'unclear' | 'unknown'

export interface TrendRow {
  readonly slo: string
  /** One for each run; undefined where it had no such SLO. */
  readonly verdicts: readonly (Verdict | undefined)[]
  /** The last run against the one before it. */
  readonly sinceBefore: Change
  /** The last run against the first of these. */
  readonly sinceFirst: Change
}

export interface Trend {
  readonly title: string
  /** The oldest first. */
  readonly runs: readonly Journal[]
  readonly rows: readonly TrendRow[]
}

/**
 * @param runs of one title, the oldest first, e.g. of readHistory()
 * @throws Error without any, or if they have several titles
 */
export function trendOf(runs: readonly Journal[]): Trend {
  const [first] = runs
  if (first === undefined) throw new Error('trend: expected at least one run, got none')
  const other = runs.find(({ title }) => title !== first.title)
  if (other) throw new Error(`trend: expected runs of “${first.title}” alone, got one of “${other.title}”`)
  const slos = new Set(runs.toReversed().flatMap(({ verdicts }) => verdicts.map(({ slo }) => slo)))
  const rows = [...slos].map((slo): TrendRow => {
    const verdicts = runs.map((run) => run.verdicts.find((verdict) => verdict.slo === slo))
    const last = verdicts.at(-1)
    return {
      slo,
      verdicts,
      sinceBefore: compare(verdicts.at(-2), last),
      sinceFirst: verdicts.length < 2 ? 'unknown' : compare(verdicts[0], last),
    }
  })
  return { title: first.title, runs, rows }
}

/**
 * Two 95 % intervals that do not even touch: by chance alone that is rarer than one in a hundred, which is the caution
 * that comparing many figures of many runs asks for.
 */
function compare(before: Verdict | undefined, now: Verdict | undefined): Change {
  if (!before?.interval || !now?.interval) return 'unknown'
  const isHigher = now.interval[0] > before.interval[1]
  const isLower = now.interval[1] < before.interval[0]
  if (!isHigher && !isLower) return 'unclear'
  const direction = isHigher ? 'higher' : 'lower'
  const { better } = sloKind(now.slo)
  if (better === undefined) return direction
  return direction === better ? 'better' : 'worse'
}

const words: Readonly<Record<Change, string>> = {
  better: '▲ better',
  worse: '▼ worse',
  higher: 'higher',
  lower: 'lower',
  unclear: 'no clear change',
  unknown: NOTHING,
}

const results = { pass: '✅', fail: '❌', inconclusive: '❔' } as const

/** A table in Markdown: a row for each run with its figures, and below how the last one compares. */
export function renderTrend({ title, runs, rows }: Trend): string {
  const head = ['Run', 'Outcome', ...rows.map(({ slo }) => `${markdownText(sloKind(slo).label)}:`)]
  const lines = runs.map((run, index) => {
    const { mark, word } = summarize(run)
    return [formatWallTime(run.startedAt), `${mark} ${word}`, ...rows.map(({ verdicts }) => cell(verdicts[index]))]
  })
  const compared =
    runs.length < 2
      ? []
      : [
          ['Last against the one before', '', ...rows.map(({ sinceBefore }) => words[sinceBefore])],
          ['Last against the first', '', ...rows.map(({ sinceFirst }) => words[sinceFirst])],
        ]
  const note = 'Better and worse: their 95 % intervals do not overlap.'
  return `## ${markdownText(title)}\n\n${markdownTable(head, [...lines, ...compared])}\n\n${note}\n`
}

function cell(verdict: Verdict | undefined): string {
  if (verdict === undefined) return NOTHING
  const { slo, measured, result, interval } = verdict
  const range = interval === undefined ? '' : ` (${formatInterval(verdict)})`
  return `${results[result]} ${formatSlo(slo, measured)}${range}`
}
