// The report's style sheet: light and dark by the reader's preference, light on paper.

const light = `
  --page: #f6f7f9; --card: #ffffff; --text: #1c2330; --muted: #5b6577; --line: #dde1e8; --soft: #eef1f5;
  --good: #15803d; --bad: #c2202b; --unsure: #a15c07; --good-soft: #e3f5e9; --bad-soft: #fdeaea; --unsure-soft: #fdf2dc;
  --p50: #0d9488; --p95: #2563eb; --p99: #7c3aed; --errors: #c2202b; --metric: #0369a1;
  --band: #2563eb1f; --fault: #f59e0b; --partition: #ea580c; --stress: #a855f7; --load: #64748b; --bar-text: #1c1304;
  --shade: #f59e0b24; --outage: #c2202b; --accent: #1d4ed8;`

const dark = `
  --page: #10141b; --card: #181e28; --text: #e6eaf1; --muted: #9aa6b8; --line: #2c3544; --soft: #212936;
  --good: #4ade80; --bad: #fb7f85; --unsure: #fbbf4d; --good-soft: #12301f; --bad-soft: #3a191d; --unsure-soft: #372a10;
  --p50: #2dd4bf; --p95: #6ea8fe; --p99: #b79cfb; --errors: #fb7f85; --metric: #38bdf8;
  --band: #6ea8fe2b; --fault: #f5b642; --partition: #fb8a4c; --stress: #c084fc; --load: #94a3b8; --bar-text: #14100a;
  --shade: #f5b64221; --outage: #fb7f85; --accent: #8ab4ff;`

export const style = `
:root { color-scheme: light; ${light} }
@media screen and (prefers-color-scheme: dark) { :root:not([data-print]) { color-scheme: dark; ${dark} } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 1160px; margin: 0 auto; padding: 24px 20px 64px }
a { color: var(--accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.skip { position: absolute; left: -9999px }
.skip:focus { left: 8px; top: 8px; background: var(--card); padding: 8px; z-index: 2 }
header { background: var(--card); border: 1px solid var(--line); border-left: 6px solid var(--tone); border-radius: 8px;
  padding: 20px 24px; margin-bottom: 20px }
h1 { font-size: 26px; line-height: 1.25; margin: 6px 0 4px; overflow-wrap: anywhere }
h2 { font-size: 18px; margin: 0 0 12px }
.pill { display: inline-block; border-radius: 99px; padding: 1px 10px; font-size: 13px; font-weight: 600;
  color: var(--tone); background: var(--tone-soft); white-space: nowrap }
header .pill { font-size: 15px; padding: 3px 14px; text-transform: capitalize }
.good { --tone: var(--good); --tone-soft: var(--good-soft) }
.bad { --tone: var(--bad); --tone-soft: var(--bad-soft) }
.unsure { --tone: var(--unsure); --tone-soft: var(--unsure-soft) }
.sentence { font-size: 17px; margin: 0 0 10px; overflow-wrap: anywhere }
.facts { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0; color: var(--muted); font-size: 14px }
.facts div { display: flex; gap: 6px }
.facts dt::after { content: ':' }
.facts dd { margin: 0; color: var(--text); overflow-wrap: anywhere }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px;
  margin-bottom: 20px }
.scroll { overflow-x: auto }
.tall { max-height: 480px; overflow: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line); vertical-align: top }
tbody tr:last-child > * { border-bottom: 0 }
thead th { color: var(--muted); font-weight: 600; font-size: 13px; white-space: nowrap }
.tall thead th { position: sticky; top: 0; background: var(--card); box-shadow: 0 1px var(--line) }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 130px }
.log tbody th { min-width: 0 }
.number { text-align: right; white-space: nowrap; padding-right: 18px }
.measured { font-weight: 600 }
.why { color: var(--muted); font-size: 13px; font-weight: 400; overflow-wrap: anywhere }
.note { color: var(--muted); font-size: 13px; margin: 8px 0 0 }
.range { width: 170px; height: 22px; display: block }
.range .axis { stroke: var(--line); stroke-width: 1 }
.range .beyond { fill: var(--bad-soft) }
.range .interval { stroke: var(--tone); stroke-width: 3; stroke-linecap: round }
.range .measured { fill: var(--tone) }
.range .limit { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 3 2 }
figure { margin: 0 }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; list-style: none; margin: 0 0 8px; padding: 0; font-size: 13px;
  color: var(--muted) }
.key i { display: inline-block; width: 18px; height: 0; border-top: 3px solid; vertical-align: middle;
  margin-right: 6px; border-radius: 2px }
.key i.block { height: 10px; border: 0; background: var(--colour) }
.key .p50 { color: var(--p50) } .key .p95 { color: var(--p95) } .key .p99 { color: var(--p99) }
.key .errors { color: var(--errors) } .key .limit { color: var(--text); border-top-style: dashed; border-top-width: 2px }
.key .band { --colour: var(--band) } .key .fault { --colour: var(--fault) } .key .partition { --colour: var(--partition) }
.key .stress { --colour: var(--stress) } .key .load { --colour: var(--load) } .key .outage { --colour: var(--outage) }
.charts { border-radius: 6px }
.chart-title { font-size: 13px; font-weight: 600; color: var(--muted); margin: 10px 0 0 }
.readout { display: block; min-height: 44px; margin-top: 8px; padding: 10px 12px; background: var(--soft);
  border-radius: 6px; font-size: 14px; font-variant-numeric: tabular-nums }
.u-hz .u-cursor-x, .u-vt .u-cursor-y { border-right: 1px dashed var(--muted) }
.u-select { background: var(--band) }
.hint { border-left: 4px solid var(--unsure); padding: 2px 0 2px 14px; margin-bottom: 18px }
.hint:last-child { margin-bottom: 0 }
.hint h3 { font-size: 15px; margin: 0 0 4px }
.hint p { margin: 6px 0 2px; font-size: 13px; font-weight: 600; color: var(--muted) }
.hint ul { margin: 0; padding-left: 20px }
.tags { display: flex; flex-wrap: wrap; gap: 6px }
code { font: 13px ui-monospace, monospace; background: var(--soft); padding: 1px 4px; border-radius: 4px }
.timeline { list-style: none; margin: 0; padding: 0; font-size: 14px }
.timeline li { display: grid; grid-template-columns: 64px 1fr; gap: 12px; padding: 3px 0; overflow-wrap: anywhere }
.timeline time { text-align: right; color: var(--muted); font-variant-numeric: tabular-nums }
.timeline .phase { font-weight: 600; margin-top: 6px }
.timeline .outage, .timeline .error { color: var(--bad) }
.timeline .recovery { color: var(--good) }
summary { cursor: pointer; font-size: 18px; font-weight: 700 }
details > :not(summary) { margin-top: 12px }
.log .failing { background: var(--bad-soft) }
.filter { display: inline-flex; gap: 8px; align-items: center; font-size: 14px }
section:has(#only-failing:checked) .log tbody tr:not(.failing) { display: none }
footer { color: var(--muted); font-size: 13px }
@media (max-width: 720px) { main { padding: 12px 10px 40px } section, header { padding: 14px } h1 { font-size: 21px } }
@media print {
  body { background: #fff; font-size: 12px } main { max-width: none; padding: 0 }
  section, header { break-inside: avoid } section.long { break-inside: auto }
  table { font-size: 11px } th, td { padding: 4px 8px 4px 0 } tbody th { min-width: 0 } .number { padding-right: 8px }
  .range { width: 90px }
  .tall, .scroll { max-height: none; overflow: visible } .filter, .skip, .readout, .screen-only { display: none }
  tr, li, .hint { break-inside: avoid } thead { display: table-header-group }
  .pill, .range, .key i, .log .failing { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}`
