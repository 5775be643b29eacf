// report.html: one file that needs no network. Tables say all; charts are drawn by the script below them.
import { createHash } from 'node:crypto'
import { version } from '../../../proxy/index.ts'
import type { Journal } from '../../model.ts'
import { formatDuration, formatWallTime } from '../figures.ts'
import { hintsOf } from '../hints/registry.ts'
import { summarize } from '../summary.ts'
import { chartLibrary } from './assets.ts'
import { browserProgram } from './browser.ts'
import { chartDataOf } from './chart-data.ts'
import { html, Html, scriptJson } from './escape.ts'
import { style } from './style.ts'
import {
  hintList,
  injectionTable,
  machineTable,
  metricTable,
  probeLog,
  probeTable,
  reactionList,
  reasonTable,
  sloTable,
  timelineList,
} from './tables.ts'

export function renderHtml(journal: Journal): string {
  const library = chartLibrary()
  const styles = [library.style, style]
  const scripts = [library.script, browserProgram]
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy(scripts, styles)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <link rel="icon" href="data:," />
        <title>${summarize(journal).word}: ${journal.title}</title>
        ${styles.map((text) => new Html(`<style>${text}</style>`))}
      </head>
      <body>
        <a class="skip" href="#slos">Skip to the SLOs</a>
        <main>${head(journal)} ${sections(journal)} ${foot(journal)}</main>
        <script type="application/json" id="chart-data">
          ${scriptJson(chartDataOf(journal))}
        </script>
        ${scripts.map((text) => new Html(`<script>${text}</script>`))}
      </body>
    </html>`
  return `${page.text}\n`
}

/** These scripts and styles and no others, nothing from anywhere: what got past the escaping could still do nothing. */
function policy(scripts: readonly string[], styles: readonly string[]): string {
  return `default-src 'none'; script-src ${hashes(scripts)}; style-src ${hashes(styles)}; img-src data:; base-uri 'none'; form-action 'none'`
}

function hashes(texts: readonly string[]): string {
  return texts.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ')
}

function head(journal: Journal): Html {
  const { title, environment, startedAt, durationMs, seed, id } = journal
  const { word, tone, sentence } = summarize(journal)
  const facts = [
    ['Environment', environment],
    ['Started', formatWallTime(startedAt)],
    ['Took', formatDuration(durationMs)],
    ['Seed', String(seed)],
    ['Run', id],
  ] as const
  return html`<header class="${tone}">
    <span class="pill">${word}</span>
    <h1>${title}</h1>
    <p class="sentence">${sentence}</p>
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </header>`
}

function sections(journal: Journal): readonly (Html | undefined)[] {
  const hints = hintsOf(journal)
  const metrics = metricTable(journal)
  return [
    section('slos', 'SLOs', sloTable(journal)),
    section('charts', 'What happened', charts(journal)),
    hints.length === 0 ? undefined : section('hints', 'Likely causes, and what to try next', hintList(hints)),
    section('timeline', 'Timeline', timelineList(journal)),
    section('figures', 'Figures by probe and phase', html`${reactionList(journal)}${probeTable(journal)}`),
    metrics === undefined ? undefined : section('metrics', 'Metrics by phase', metrics),
    folded('causes', 'Failures and acts of faults', [reasonTable(journal), injectionTable(journal)]),
    folded('machine', 'The machine that measured', [machineTable(journal)]),
    folded('log', `Probe log, second by second`, journal.seconds.length === 0 ? [] : [probeLog(journal)]),
  ]
}

function section(id: string, title: string, content: Html): Html {
  return html`<section id="${id}" class="long" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${content}
  </section>`
}

/** Undefined without content. */
function folded(id: string, title: string, content: readonly (Html | undefined)[]): Html | undefined {
  if (content.every((part) => part === undefined)) return undefined
  return html`<section id="${id}" class="long">
    <details>
      <summary>${title}</summary>
      <div>${content}</div>
    </details>
  </section>`
}

function charts(journal: Journal): Html {
  if (journal.seconds.length === 0) return html`<p>No probe was tried: there is nothing to draw.</p>`
  const kinds = [...new Set(journal.steps.map(({ kind }) => kind))].filter((kind) => kind !== 'check')
  const hasBaseline = journal.seconds.some(({ phase }) => phase === 'baseline')
  return html`<figure>
    <ul class="key">
      <li><i class="p50"></i>p50</li>
      <li><i class="p95"></i>p95</li>
      <li><i class="p99"></i>p99</li>
      ${hasBaseline ? html`<li><i class="block band"></i>p95 of the baseline’s seconds</li>` : undefined}
      <li><i class="errors"></i>not good</li>
      ${journal.verdicts.some(({ slo }) => slo === 'errorRate') ? html`<li><i class="limit"></i>limit</li>` : undefined}
      ${journal.outages.length > 0 ? html`<li><i class="block outage"></i>outage</li>` : undefined}
      ${kinds.map((kind) => html`<li><i class="block ${kind}"></i>${kind}</li>`)}
    </ul>
    <label class="filter screen-only"><input type="checkbox" id="logarithmic" />Logarithmic latency</label>
    <div
      class="charts"
      id="plots"
      tabindex="0"
      role="group"
      aria-describedby="plots-help"
      aria-label="Charts of latency and errors over the run, with phases and faults"
    ></div>
    <output class="readout" id="readout" aria-live="polite">Point at a chart to read its figures.</output>
    <figcaption class="note screen-only" id="plots-help">
      Drag to zoom, double-click to see all again. With the keyboard: arrows, Page Up and Page Down, Home, End; + and −
      zoom, Escape ends both. All figures are in the probe log below.
    </figcaption>
    <noscript><p class="note">Charts need JavaScript; the tables below have all figures.</p></noscript>
  </figure>`
}

function foot({ outcome }: Journal): Html {
  return html`<footer>
    Faultline ${version} · outcome <code>${outcome}</code> · latencies count from the intended start of each attempt ·
    percentiles of merged histograms, never averaged
  </footer>`
}
