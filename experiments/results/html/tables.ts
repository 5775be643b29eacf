// The parts of the page that are tables and lists. They say all that the charts do.
import { phaseNames, type Journal, type SecondRecord, type Verdict, type VerdictResult } from '../../model.ts'
import { formatDuration, formatNumber, formatOffset, formatShare, NOTHING, plural } from '../figures.ts'
import { badShare, reasonCounts } from '../hints/facts.ts'
import type { Hint } from '../hints/hint.ts'
import { metricFigures, missedMetrics } from '../metric-figures.ts'
import { formatInterval, formatLimit, formatSlo, sloKind } from '../slo.ts'
import { actingSteps } from '../summary.ts'
import { reactionTimes, timelineOf } from '../timeline.ts'
import { html, type Html } from './escape.ts'
import { rangePicture } from './range-picture.ts'

const tones: Readonly<Record<VerdictResult, string>> = { pass: 'good', fail: 'bad', inconclusive: 'unsure' }
const marks: Readonly<Record<VerdictResult, string>> = { pass: '✓', fail: '✕', inconclusive: '?' }

/** Rows of the log. More make a page slow; results.json has them all. */
const MAX_LOG_ROWS = 4000

export function sloTable({ verdicts }: Journal): Html {
  if (verdicts.length === 0) return html`<p>The experiment has no SLO, or did not come to judging one.</p>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of the SLOs">
    <table>
      <thead>
        <tr>
          <th scope="col">SLO</th>
          <th scope="col">Verdict</th>
          <th scope="col" class="number">Measured</th>
          <th scope="col" class="number">Limit</th>
          <th scope="col" class="number">95 % interval</th>
          <th scope="col">Interval and limit</th>
          <th scope="col" class="number">Samples</th>
        </tr>
      </thead>
      <tbody>
        ${verdicts.map(sloRow)}
      </tbody>
    </table>
  </div>`
}

function sloRow(verdict: Verdict): Html {
  const { slo, result, measured, n, why } = verdict
  return html`<tr class="${tones[result]}">
    <th scope="row">
      ${sloKind(slo).label}
      <div class="why">${why}</div>
    </th>
    <td><span class="pill">${marks[result]} ${result}</span></td>
    <td class="number measured">${formatSlo(slo, measured)}</td>
    <td class="number">${formatLimit(verdict)}</td>
    <td class="number">${formatInterval(verdict)}</td>
    <td>${rangePicture(verdict)}</td>
    <td class="number">${n.toLocaleString('en-US')}</td>
  </tr>`
}

export function hintList(hints: readonly Hint[]): Html {
  return html`${hints.map(
    ({ cause, slos, evidence, next }) =>
      html`<div class="hint">
        <h3>${cause}</h3>
        <div class="tags">${slos.map((slo) => html`<span class="pill bad">${sloKind(slo).label}</span>`)}</div>
        <p>Seen</p>
        <ul>
          ${evidence.map((line) => html`<li>${line}</li>`)}
        </ul>
        <p>Next</p>
        <ul>
          ${next.map((line) => html`<li>${withCode(line)}</li>`)}
        </ul>
      </div>`,
  )}`
}

/** What is between backticks is code. */
function withCode(text: string): readonly (Html | string)[] {
  return text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part))
}

export function timelineList(journal: Journal): Html {
  return html`<ol class="timeline">
    ${timelineOf(journal).map(
      ({ atMs, kind, text }) => html`<li class="${kind}"><time>${formatOffset(atMs)}</time><span>${text}</span></li>`,
    )}
  </ol>`
}

export function reactionList(journal: Journal): Html {
  return html`<dl class="facts">
    ${reactionTimes(journal).map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

export function probeTable({ probes }: Journal): Html {
  const rows = Object.entries(probes).flatMap(([probe, phases]) =>
    phaseNames.flatMap((phase) => {
      const figures = phases[phase]
      if (figures === undefined) return []
      const { attempts, dropped, p50Ms, p95Ms, p99Ms, goodP95Ms } = figures
      return html`<tr>
        <th scope="row">${probe}</th>
        <td>${phase}</td>
        ${numbers(attempts.toLocaleString('en-US'), formatShare(badShare([figures])), String(dropped))}
        ${numbers(...[p50Ms, p95Ms, p99Ms, goodP95Ms].map(formatDuration))}
      </tr>`
    }),
  )
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Table of the probes by phase">
    <table>
      <thead>
        <tr>
          <th scope="col">Probe</th>
          <th scope="col">Phase</th>
          ${['Attempts', 'Not good', 'Dropped', 'p50', 'p95', 'p99', 'p95 of good'].map(numberHead)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

/** Why attempts were not good. Undefined without any reason on record. */
export function reasonTable(journal: Journal): Html | undefined {
  const counts = reasonCounts(journal)
  if (counts.length === 0) return undefined
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Why attempts were not good</th>
        ${numberHead('Attempts')}
      </tr>
    </thead>
    <tbody>
      ${counts.map(
        ([reason, count]) =>
          html`<tr>
            <th scope="row">${reason}</th>
            ${numbers(String(count))}
          </tr>`,
      )}
    </tbody>
  </table>`
}

export function injectionTable({ injections }: Journal): Html | undefined {
  const entries = Object.entries(injections)
  if (entries.length === 0) return undefined
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Fault</th>
        ${numberHead('Acts')}
      </tr>
    </thead>
    <tbody>
      ${entries.map(
        ([fault, count]) =>
          html`<tr>
            <th scope="row">${fault}</th>
            ${numbers(count.toLocaleString('en-US'))}
          </tr>`,
      )}
    </tbody>
  </table>`
}

/** How the runner's samples of a machine are read. Others are shown as they are. */
const machineFigures: Readonly<
  Record<string, { readonly label: string; readonly format: (value: number | undefined) => string }>
> = {
  cpu: { label: 'CPU', format: formatShare },
  memory: { label: 'Memory', format: formatShare },
  disk: { label: 'Disk', format: formatShare },
  eventLoopLagMs: { label: 'Event-loop lag', format: formatDuration },
  networkBytesPerSecond: {
    label: 'Network, KB/s',
    format: (value = Number.NaN) => formatNumber(Math.round(value / 1000)),
  },
}

/** The machine that measured: the lowest, the middle and the highest of each figure. */
export function machineTable({ machine }: Journal): Html | undefined {
  const names = [...new Set(machine.flatMap((sample) => Object.keys(sample)))].filter((name) => name !== 'atMs')
  if (names.length === 0) return undefined
  const rows = names.map((name) => {
    const values = machine.flatMap(({ [name]: value }) => (value === undefined ? [] : [value])).sort((a, b) => a - b)
    const three = [values[0], values[Math.floor(values.length / 2)], values.at(-1)]
    const { label, format } = machineFigures[name] ?? { label: name, format: formatNumber }
    return html`<tr>
      <th scope="row">${label}</th>
      ${numbers(...three.map((value) => format(value)))}
    </tr>`
  })
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Figure</th>
        ${['Lowest', 'Median', 'Highest'].map(numberHead)}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

/** Custom metrics, phase by phase. */
export function metricTable(journal: Journal): Html | undefined {
  const rows = metricFigures(journal)
  const missed = missedMetrics(journal)
  if (rows.length === 0 && missed.length === 0) return undefined
  return html`<table>
      <thead>
        <tr>
          <th scope="col">Metric</th>
          <th scope="col">Phase</th>
          ${['Values', 'Lowest', 'Median', 'Highest'].map(numberHead)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ name, phase, count, lowest, median, highest }) =>
            html`<tr>
              <th scope="row">${name}</th>
              <td>${phase}</td>
              ${numbers(String(count), ...[lowest, median, highest].map(formatNumber))}
            </tr>`,
        )}
      </tbody>
    </table>
    ${missed.map((line) => html`<p class="note">${line}</p>`)}`
}

export function probeLog(journal: Journal): Html {
  const { seconds } = journal
  const shown = seconds.slice(0, MAX_LOG_ROWS)
  const cut =
    shown.length === seconds.length
      ? undefined
      : html`<p class="note">The first ${shown.length} of ${plural(seconds.length, 'row')}; results.json has all.</p>`
  return html`<label class="filter"><input type="checkbox" id="only-failing" />Only seconds with failures</label>
    <div class="tall" tabindex="0" role="region" aria-label="Probe log">
      <table class="log">
        <thead>
          <tr>
            <th scope="col">Second</th>
            <th scope="col">Phase</th>
            <th scope="col">Under way</th>
            ${['Attempts', 'Good', 'Failed', 'Dropped', 'p50', 'p95', 'p99'].map(numberHead)}
          </tr>
        </thead>
        <tbody>
          ${shown.map((record) => logRow(journal, record))}
        </tbody>
      </table>
    </div>
    ${cut}`
}

function logRow(journal: Journal, record: SecondRecord): Html {
  const { second, phase, attempts, good, failed, dropped, p50Ms, p95Ms, p99Ms } = record
  const active = actingSteps(journal)
    .filter(({ appliedMs, undoneMs = Infinity }) => appliedMs < (second + 1) * 1000 && undoneMs > second * 1000)
    .map(({ name }) => name)
  return html`<tr class="${good < attempts ? 'failing' : ''}">
    <th scope="row">${formatOffset(second * 1000)}</th>
    <td>${phase}</td>
    <td>${active.join(', ') || NOTHING}</td>
    ${numbers(...[attempts, good, failed, dropped].map(String))}
    ${numbers(...[p50Ms, p95Ms, p99Ms].map(formatDuration))}
  </tr>`
}

function numberHead(name: string): Html {
  return html`<th scope="col" class="number">${name}</th>`
}

function numbers(...texts: readonly string[]): readonly Html[] {
  return texts.map((text) => html`<td class="number">${text}</td>`)
}
