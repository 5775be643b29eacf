// How a run has ended: what people read of it, and the exit code.
import type { Journal, Outcome } from '../../experiments/model.ts'
import { formatDuration } from '../../experiments/results/figures.ts'
import { CommandError } from '../errors.ts'
import type { Output, Style } from '../output.ts'

/** Trouble of three kinds has exit codes of its own: an SLO, the tool or who stopped it, the cleanup. */
export const exitCodes: Readonly<Record<Outcome, number>> = {
  passed: 0,
  violated: 1,
  aborted: 3,
  error: 3,
  'cleanup-incomplete': 4,
  inconclusive: 5,
}

const styles: Readonly<Record<string, Style>> = { pass: 'green', fail: 'red', inconclusive: 'yellow' }

export function showVerdicts(journal: Journal, out: Output): void {
  const { title, outcome, verdicts, reason } = journal
  const style = outcome === 'passed' ? 'green' : outcome === 'inconclusive' ? 'yellow' : 'red'
  out.line(`${out.paint('bold', title)}: ${out.paint(style, outcome)}${reason === undefined ? '' : `: ${reason}`}`)
  for (const { name, keptUntilMs } of journal.steps) {
    if (keptUntilMs === undefined) continue
    const leftMs = Math.max(0, keptUntilMs - journal.durationMs)
    out.line(`  left: ${name}, for ${formatDuration(leftMs)} at most; "faultline heal" ends it`)
  }
  if (verdicts.length === 0) return
  out.table(
    verdicts.map(({ slo, result, why }) => [{ text: result, style: styles[result] ?? 'dim' }, slo, why]),
    '  ',
  )
}

/**
 * The error for the worst of some runs, if any is bad enough.
 *
 * @param allowViolation an SLO that was not kept, or of which nothing can be said, is no failure
 */
export function failureOf(journals: readonly Journal[], allowViolation: boolean): CommandError | undefined {
  const order: readonly Outcome[] = ['cleanup-incomplete', 'error', 'aborted', 'violated', 'inconclusive']
  const worst = order.find((outcome) => journals.some((journal) => journal.outcome === outcome))
  if (worst === undefined) return undefined
  if (allowViolation && (worst === 'violated' || worst === 'inconclusive')) return undefined
  const titles = journals.filter(({ outcome }) => outcome === worst).map(({ title }) => title)
  return new CommandError(`${worst}: ${titles.join('; ')}`, { exitCode: exitCodes[worst] })
}
