// What every report says first: how the run ended, in a word and in a sentence.
import type { Journal, Outcome, StepRecord, Verdict } from '../model.ts'
import { plural } from './figures.ts'
import { sloKind } from './slo.ts'

export interface Summary {
  /** E.g. `violated`. */
  readonly word: string
  readonly mark: '✅' | '❌' | '❔' | '⚠️'
  /** Colour and icon, by what it asks of the reader. */
  readonly tone: 'good' | 'bad' | 'unsure'
  readonly sentence: string
}

const looks: Readonly<Record<Outcome, Omit<Summary, 'sentence'>>> = {
  passed: { word: 'passed', mark: '✅', tone: 'good' },
  violated: { word: 'violated', mark: '❌', tone: 'bad' },
  inconclusive: { word: 'inconclusive', mark: '❔', tone: 'unsure' },
  aborted: { word: 'aborted', mark: '⚠️', tone: 'bad' },
  error: { word: 'error', mark: '⚠️', tone: 'bad' },
  'cleanup-incomplete': { word: 'cleanup incomplete', mark: '⚠️', tone: 'bad' },
}

export function summarize(journal: Journal): Summary {
  return { ...looks[journal.outcome], sentence: sentenceOf(journal) }
}

function sentenceOf(journal: Journal): string {
  const { outcome, verdicts, reason } = journal
  const because = reason === undefined ? '' : `: ${reason}`
  switch (outcome) {
    case 'passed':
      return verdicts.length === 0
        ? 'The run ended well; no SLO was to be kept.'
        : `${verdicts.length === 1 ? 'The one SLO was' : `All ${verdicts.length} SLOs were`} kept.`
    case 'violated':
      return `${share(verdicts, 'fail')} not kept: ${labels(verdicts, 'fail')}.`
    case 'inconclusive':
      return `${share(verdicts, 'inconclusive')} not decided by what was measured: ${labels(verdicts, 'inconclusive')}.`
    case 'aborted':
      return `The run was stopped before its end${because}.`
    case 'error':
      return `The run could not be carried out${because}. This says nothing about the system.`
    default:
      return `Not everything could be undone${because}. ${stillThere(journal)}`
  }
}

function share(verdicts: readonly Verdict[], result: Verdict['result']): string {
  const count = verdicts.filter((verdict) => verdict.result === result).length
  return `${count} of ${plural(verdicts.length, 'SLO')} ${count === 1 ? 'was' : 'were'}`
}

function labels(verdicts: readonly Verdict[], result: Verdict['result']): string {
  const names = verdicts.filter((verdict) => verdict.result === result).map(({ slo }) => sloKind(slo).label)
  return names.length === 0 ? 'none is on record' : names.join(', ')
}

function stillThere(journal: Journal): string {
  const left = notUndone(journal).map(({ name }) => name)
  return left.length === 0 ? 'No step is on record as left behind.' : `Left behind: ${left.join(', ')}.`
}

/** Steps that may still act. Checks leave nothing behind. */
export function notUndone(journal: Journal): readonly StepRecord[] {
  return actingSteps(journal).filter(({ undoneMs, keptUntilMs }) => undoneMs === undefined && keptUntilMs === undefined)
}

/** Steps that were left to act, as the experiment wants no rollback. */
export function keptSteps(journal: Journal): readonly StepRecord[] {
  return journal.steps.filter(({ keptUntilMs }) => keptUntilMs !== undefined)
}

/** Steps that are there for a while, and do something. */
export function actingSteps({ steps }: Journal): readonly StepRecord[] {
  return steps.filter(({ kind }) => kind !== 'check')
}
