// The findings of a scenario that compares instead of measuring: a table of verdicts by row, then the differences.

import { table } from './table.mjs'

/** @param {import('../scenarios/transparency.mjs').Finding[]} findings @returns {string} */
export function findingsText(findings) {
  const targets = Object.keys(findings[0]?.targets ?? {})
  const rows = [...new Set(findings.map(({ row }) => row))]
  const cells = rows.map((row) => {
    const ofRow = findings.filter((finding) => finding.row === row)
    return [row, ...targets.map((target) => verdict(ofRow.map((finding) => finding.targets[target])))]
  })
  const columns = ['', ...targets]
  const verdicts = table(columns, cells, [...columns.keys()])
  return [verdicts, ...targets.map((target) => differences(findings, target)).filter((text) => text !== '')].join(
    '\n\n',
  )
}

function verdict(found) {
  const played = found.filter((difference) => difference !== null)
  if (played.length < found.length) return 'not measured'
  const differing = played.filter(({ substance }) => substance.length > 0).length
  if (differing > 0) return found.length === 1 ? 'differs' : `differs in ${differing} of ${found.length}`
  return played.some(({ taste }) => taste.length > 0) ? 'headers written otherwise' : 'same'
}

function differences(findings, target) {
  const rows = findings.flatMap(({ row, exchange, targets }) => {
    const { taste = [], substance = [] } = targets[target] ?? {}
    const words = substance.length > 0 ? substance : taste
    return words.length > 0 ? [[row, exchange, words.join('; ')]] : []
  })
  return rows.length === 0 ? '' : table([target, 'exchange', 'how it differs'], rows, [0, 1, 2])
}
