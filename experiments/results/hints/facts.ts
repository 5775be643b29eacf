// What rules look at: a journal, cut into before, during and after the faults.
import type { Figures, Journal, SecondRecord, Span, StepRecord } from '../../model.ts'

export interface Facts {
  readonly journal: Journal
  /** Seconds of the baseline. */
  readonly before: readonly SecondRecord[]
  /** Seconds in which a fault was there from their begin to their end. */
  readonly during: readonly SecondRecord[]
  /** Seconds that began when no fault was there any more. */
  readonly after: readonly SecondRecord[]
  /** Each fault with the seconds in which it was there; two steps of a name are one. */
  readonly faults: readonly FaultRecord[]
  /** Stretches in which faults were there, one or several, each with the seconds that are in it from begin to end. */
  readonly windows: readonly FaultWindow[]
  /** When the last fault was removed; null: none was there, or one was not removed. */
  readonly healedMs: number | null
  /** Probes that have figures of both phases. */
  readonly changes: readonly ProbeChange[]
}

export interface FaultWindow extends Span {
  readonly seconds: readonly SecondRecord[]
}

export interface FaultRecord {
  readonly name: string
  readonly seconds: readonly SecondRecord[]
  /** How often it acted for each attempt that was made while it was there; null: not on record. */
  readonly actsPerAttempt: number | null
}

export interface ProbeChange {
  readonly probe: string
  readonly baseline: Figures
  readonly failure: Figures
}

export function factsOf(journal: Journal): Facts {
  const windows = unite(faultSpans(journal)).map((span) => ({ ...span, seconds: secondsWithin(journal, span) }))
  const last = windows.at(-1)
  const healedMs = last === undefined || last.untilMs === Infinity ? null : last.untilMs
  return {
    journal,
    windows,
    faults: faultRecords(journal),
    healedMs,
    before: journal.seconds.filter(({ phase }) => phase === 'baseline'),
    during: windows.flatMap(({ seconds }) => seconds),
    after: healedMs === null ? [] : secondsWithin(journal, { fromMs: healedMs, untilMs: Infinity }),
    changes: Object.entries(journal.probes).flatMap(([probe, { baseline, failure }]) =>
      baseline && failure ? [{ probe, baseline, failure }] : [],
    ),
  }
}

/** Seconds that were wholly in one of the spans. */
function secondsWithin({ seconds }: Journal, ...spans: readonly Span[]): readonly SecondRecord[] {
  return seconds.filter(({ second }) =>
    spans.some(({ fromMs, untilMs }) => fromMs <= second * 1000 && (second + 1) * 1000 <= untilMs),
  )
}

/** Those of one step if its name is given. One that was not undone has no end. */
function faultSpans(journal: Journal, name?: string): Span[] {
  return faultSteps(journal)
    .filter((step) => name === undefined || step.name === name)
    .map(({ appliedMs, undoneMs }) => ({ fromMs: appliedMs, untilMs: undoneMs ?? Infinity }))
}

function faultSteps({ steps }: Journal): readonly StepRecord[] {
  return steps.filter(({ kind }) => kind === 'fault' || kind === 'partition' || kind === 'stress')
}

function faultRecords(journal: Journal): FaultRecord[] {
  const names = new Set(faultSteps(journal).map(({ name }) => name))
  return [...names].map((name) => {
    const seconds = secondsWithin(journal, ...faultSpans(journal, name))
    const { attempts } = total(seconds)
    const acts = Object.hasOwn(journal.injections, name) ? journal.injections[name] : undefined
    return { name, seconds, actsPerAttempt: acts === undefined || attempts === 0 ? null : acts / attempts }
  })
}

function unite(spans: readonly Span[]): Span[] {
  const united: Span[] = []
  for (const span of spans.toSorted((one, other) => one.fromMs - other.fromMs)) {
    const last = united.at(-1)
    if (last === undefined || last.untilMs < span.fromMs) united.push(span)
    else united[united.length - 1] = { fromMs: last.fromMs, untilMs: Math.max(last.untilMs, span.untilMs) }
  }
  return united
}

/** Counts may be added, as percentiles may not. */
export function total(figures: readonly Figures[]): Pick<Figures, 'attempts' | 'good' | 'failed' | 'dropped'> {
  const sum = { attempts: 0, good: 0, failed: 0, dropped: 0 }
  for (const { attempts, good, failed, dropped } of figures) {
    sum.attempts += attempts
    sum.good += good
    sum.failed += failed
    sum.dropped += dropped
  }
  return sum
}

/** The share of attempts that were not good; null without any. */
export function badShare(figures: readonly Figures[]): number | null {
  const { attempts, good } = total(figures)
  return attempts === 0 ? null : 1 - good / attempts
}

/** How many attempts were not good for each reason, of all probes together; the most frequent first. */
export function reasonCounts({ reasons = {} }: Journal): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>()
  for (const ofProbe of Object.values(reasons)) {
    for (const [reason, count] of Object.entries(ofProbe)) counts.set(reason, (counts.get(reason) ?? 0) + count)
  }
  return [...counts].sort(([, one], [, other]) => other - one)
}
