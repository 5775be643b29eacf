// report.md: what a reviewer has to know, within a comment on a pull request.
import { phaseNames, type Journal, type Verdict, type VerdictResult } from '../model.ts'
import { formatDuration, formatNumber, formatOffset, formatShare, formatWallTime } from './figures.ts'
import { badShare } from './hints/facts.ts'
import type { Hint } from './hints/hint.ts'
import { hintsOf } from './hints/registry.ts'
import { metricFigures, missedMetrics } from './metric-figures.ts'
import { markdownTable, markdownText } from './markdown-text.ts'
import { formatInterval, formatLimit, formatSlo, sloKind } from './slo.ts'
import { summarize } from './summary.ts'
import { reactionTimes, timelineOf } from './timeline.ts'

/** GitHub refuses comments of more than 65,536 characters, GitLab allows a million. */
export const MAX_MARKDOWN_CHARACTERS = 65_535

const LEFT_OUT = '_The rest is left out here, as a comment has an end: see report.html and results.json._\n'

/** Of a name in a table. */
const MAX_NAME_CHARACTERS = 100

/** Of a section, so that none keeps the others out. */
const MAX_LINES = 60

const marks: Readonly<Record<VerdictResult, string>> = {
  pass: '✅ pass',
  fail: '❌ fail',
  inconclusive: '❔ inconclusive',
}

/** @returns at most {@link MAX_MARKDOWN_CHARACTERS} characters */
export function renderMarkdown(journal: Journal): string {
  return fit([
    head(journal),
    slos(journal.verdicts),
    reasons(journal.verdicts),
    hints(hintsOf(journal)),
    timeline(journal),
    probes(journal),
    metrics(journal),
  ])
}

/** The first ones are the most important: the first that does not fit is cut at a line, and is the last. */
function fit(sections: readonly string[]): string {
  let text = ''
  for (const section of sections) {
    if (section === '') continue
    const room = MAX_MARKDOWN_CHARACTERS - text.length - LEFT_OUT.length
    if (section.length + 2 > room) return text + cutAtLine(section, room - 2) + LEFT_OUT
    text += `${section}\n\n`
  }
  return `${text.trimEnd()}\n`
}

/** Nothing of what would be left open. */
function cutAtLine(section: string, room: number): string {
  const end = section.includes('<details>') ? 0 : section.lastIndexOf('\n', room)
  return end > 0 ? `${section.slice(0, end)}\n\n` : ''
}

function head(journal: Journal): string {
  const { title, environment, startedAt, durationMs, seed, id } = journal
  const { mark, word, sentence } = summarize(journal)
  const facts = [
    markdownText(environment),
    markdownText(formatWallTime(startedAt)),
    formatDuration(durationMs),
    `seed ${seed}`,
    `run ${markdownText(id)}`,
  ]
  return `## ${mark} ${markdownText(title)}: ${word}\n\n**${markdownText(sentence, 1000)}**\n\n${facts.join(' · ')}`
}

function slos(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return ''
  const rows = verdicts.map((verdict) => [
    markdownText(sloKind(verdict.slo).label, MAX_NAME_CHARACTERS),
    marks[verdict.result],
    formatSlo(verdict.slo, verdict.measured),
    formatLimit(verdict),
    formatInterval(verdict),
    String(verdict.n),
  ])
  const table = markdownTable(
    ['SLO', 'Verdict', 'Measured:', 'Limit:', '95 % interval:', 'Samples:'],
    rows.slice(0, MAX_LINES),
  )
  return table + more(rows.length, 'SLOs')
}

function reasons(verdicts: readonly Verdict[]): string {
  const lines = verdicts
    .filter(({ result }) => result !== 'pass')
    .map(({ slo, why }) => `- **${markdownText(sloKind(slo).label)}**: ${markdownText(why)}`)
  return list(lines, 'SLOs')
}

function hints(all: readonly Hint[]): string {
  if (all.length === 0) return ''
  const parts = all.map(({ cause, slos: about, evidence, next }) => {
    const explains = about.length === 0 ? '' : ` (${about.map((slo) => markdownText(sloKind(slo).label)).join(', ')})`
    return [
      // Causes and next steps are our own, written as Markdown.
      `**${cause}**${explains}`,
      '',
      ...evidence.slice(0, 5).map((line) => `- Seen: ${markdownText(line)}`),
      ...next.map((line) => `- Next: ${line}`),
    ].join('\n')
  })
  return ['### Likely causes, and what to try next', ...parts].join('\n\n')
}

function timeline(journal: Journal): string {
  const lines = timelineOf(journal).map(({ atMs, text }) => `- \`${formatOffset(atMs)}\` ${markdownText(text)}`)
  return `### Timeline\n\n${list(lines, 'events')}`
}

function probes(journal: Journal): string {
  const rows = Object.entries(journal.probes).flatMap(([probe, phases]) =>
    phaseNames.flatMap((phase) => {
      const figures = phases[phase]
      if (figures === undefined) return []
      const { attempts, dropped, p50Ms, p95Ms, p99Ms } = figures
      const latencies = [p50Ms, p95Ms, p99Ms].map(formatDuration)
      return [
        [
          markdownText(probe, MAX_NAME_CHARACTERS),
          phase,
          String(attempts),
          formatShare(badShare([figures])),
          String(dropped),
          ...latencies,
        ],
      ]
    }),
  )
  const reactions = reactionTimes(journal).map(([name, value]) => `- ${name}: ${value}`)
  const parts = ['### Figures', reactions.join('\n')]
  if (rows.length > 0) {
    const columns = ['Probe', 'Phase', 'Attempts:', 'Not good:', 'Dropped:', 'p50:', 'p95:', 'p99:']
    const table = markdownTable(columns, rows.slice(0, MAX_LINES)) + more(rows.length, 'rows')
    parts.push(`<details><summary>Probes by phase</summary>\n\n${table}\n\n</details>`)
  }
  return parts.join('\n\n')
}

function metrics(journal: Journal): string {
  const rows = metricFigures(journal).map(({ name, phase, count, ...values }) => [
    markdownText(name, MAX_NAME_CHARACTERS),
    phase,
    String(count),
    ...[values.lowest, values.median, values.highest].map(formatNumber),
  ])
  const missed = missedMetrics(journal).map((line) => `- ${markdownText(line)}`)
  if (rows.length === 0 && missed.length === 0) return ''
  const columns = ['Metric', 'Phase', 'Values:', 'Lowest:', 'Median:', 'Highest:']
  const table = markdownTable(columns, rows.slice(0, MAX_LINES)) + more(rows.length, 'rows')
  const parts = [table, ...(missed.length === 0 ? [] : [list(missed, 'reasons')])]
  return `<details><summary>Metrics by phase</summary>\n\n${parts.join('\n\n')}\n\n</details>`
}

function list(lines: readonly string[], what: string): string {
  return lines.slice(0, MAX_LINES).join('\n') + more(lines.length, what)
}

function more(count: number, what: string): string {
  return count <= MAX_LINES ? '' : `\n\n_and ${count - MAX_LINES} more ${what}, in report.html_`
}
