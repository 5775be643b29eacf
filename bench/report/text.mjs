// The results as text: for every group a table of absolute figures and one of ratios, then the verdicts.

import { median } from '../statistics.mjs'
import { peers } from '../targets/index.mjs'
import { findingsText } from './findings.mjs'
import { ratio, series } from './results.mjs'
import { number, table } from './table.mjs'

/** @param {import('./json.mjs').Run} run @returns {string} */
export function textReport(run) {
  const sections = [machine(run), ...run.scenarios.map(scenario), verdicts(run), notes(run)]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function machine({ machine: { cpu, cpus, memoryGigabytes, system, node, loadAverage }, options, targets }) {
  const present = targets.filter((target) => target.missing === undefined)
  const missing = targets.filter((target) => target.missing !== undefined)
  return [
    `${cpu}, ${cpus} CPUs, ${number(memoryGigabytes, 1)} GB, ${system}, Node ${node}, load ${number(loadAverage, 2)} at the start`,
    `${options.rounds} round${options.rounds === 1 ? '' : 's'} of ${options.seconds} s; every figure is the median of the rounds, every ratio the median of the rounds' ratios`,
    `measured: ${present.map((target) => `${target.name} ${target.version}`.trim()).join(', ')}`,
    ...missing.map((target) => `skipped: ${target.name} (${target.missing})`),
  ].join('\n')
}

function scenario(result) {
  const heading = `== ${result.name}: ${result.title} ==\n${result.load}`
  const findings = result.findings === undefined ? [] : [findingsText(result.findings)]
  return [heading, ...result.groups.map((group) => groupTables(result, group)), ...findings].join('\n\n')
}

function groupTables(result, group) {
  const title = result.groups.length > 1 ? [`${result.name}, ${group.name}`] : []
  return [...title, absolutes(group), ...ratios(group)].join('\n')
}

function absolutes(group) {
  const header = ['target', ...group.metrics.map((metric) => metric.label)]
  const rows = Object.keys(group.samples).map((target) => [
    target,
    ...group.metrics.map((metric) => number(median(series(group, target, metric.name)), metric.digits)),
  ])
  return table(header, rows)
}

/** One row a metric and target, one column a peer. Cells where either was not measured have a dash. */
function ratios(group) {
  const measuredPeers = peers.filter((peer) => group.samples[peer] !== undefined)
  const compared = group.metrics.filter((metric) => metric.compared)
  if (measuredPeers.length === 0 || compared.length === 0) return []
  const rows = compared.flatMap((metric) => {
    const proxies = Object.keys(group.samples).filter((target) => target !== 'direct')
    return proxies.map((target) => [
      metric.label,
      target,
      ...measuredPeers.map((peer) => (peer === target ? '' : ratioText(ratio(group, target, peer, metric.name)))),
    ])
  })
  const filled = rows.filter((row) => row.slice(2).some((cell) => cell !== '' && cell !== '-'))
  if (filled.length === 0) return []
  return ['', table(['ratio of', 'target', ...measuredPeers.map((peer) => `÷ ${peer}`)], filled, [0, 1])]
}

function ratioText(value) {
  return value === null ? '-' : `${number(value.median, 2)}×`
}

function verdicts(run) {
  if (run.verdicts.length === 0) return ''
  const words = { true: 'met', false: 'NOT MET', null: 'not measured' }
  const rows = run.verdicts.map((verdict) => [
    verdict.aim,
    verdict.target,
    number(verdict.value, verdict.digits),
    verdict.spread === null ? '-' : verdict.spread.map((end) => number(end, verdict.digits)).join(' to '),
    words[verdict.met],
  ])
  return `== aims ==\n\n${table(['aim', 'target', 'value', 'over the rounds', 'verdict'], rows, [0, 1, 4])}`
}

function notes(run) {
  if (run.notes.length === 0) return ''
  return `== notes ==\n\n${run.notes.map((note) => `  - ${note}`).join('\n')}`
}
