// Aligned text tables.

/**
 * @param {string[]} header
 * @param {string[][]} rows
 * @param {number[]} [textColumns] those set to the left; figures are set to the right
 * @returns {string}
 */
export function table(header, rows, textColumns = [0]) {
  const widths = header.map((_title, column) => Math.max(...[header, ...rows].map((row) => row[column].length)))
  const pad = (cell, column) => {
    return textColumns.includes(column) ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
  }
  const line = (row) => row.map(pad).join('   ')
  const rule = widths.map((width) => '-'.repeat(width)).join('   ')
  return [line(header), rule, ...rows.map(line)].map((text) => `  ${text.trimEnd()}`).join('\n')
}

/** @param {number | null | undefined} value @param {number} digits after the point @returns {string} `-` for nothing */
export function number(value, digits) {
  if (value === null || value === undefined) return '-'
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
