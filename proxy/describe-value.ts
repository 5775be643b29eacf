// A value as an error message shows it. Apart from validate.ts, whose schemas load slowly.

/** Short, and never a whole document. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = toText(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function toText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value
  } catch {
    return 'a value that is nested too deeply' // the stack has an end
  }
}
