// Text from outside within Markdown, so that it is shown as it is: as GitHub and GitLab read it.

/** Longer texts are cut: a comment has an end. */
const MAX_CHARACTERS = 300

/** One line of plain text; nothing in it is markup, a mention of somebody or a reference to an issue. */
export function markdownText(text: string, maxCharacters = MAX_CHARACTERS): string {
  return (
    shorten(text.replace(/\s+/g, ' ').trim(), maxCharacters)
      .replace(/[\\`*_{}[\]|~$!]/g, String.raw`\$&`)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // A space of no width: mentions notify people, references leave traces in other threads.
      .replace(/[@#](?=\w)|\bGH-(?=\d)/g, '$&&#8203;')
      // At the begin of a line these make headings, lists and quotes.
      .replace(/^([#+-]|\d+[.)])/, (start) => start.replace(/[#+\-.)]/, String.raw`\$&`))
  )
}

/** Cuts between characters, not within one. */
function shorten(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text
  return `${text.slice(0, maxCharacters - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

/** @param head one cell for each column; `:` at its end aligns the column to the right */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const names = head.map((cell) => cell.replace(/:$/, ''))
  const rule = head.map((cell) => (cell.endsWith(':') ? '---:' : '---'))
  return [names, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
