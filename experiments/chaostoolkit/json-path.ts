// JSON paths as Chaos Toolkit has them: of Python's jsonpath2 (its JSONPath.g4), which differs from RFC 9535 in filters.
// There a filter keeps or drops the value that it stands behind, and not its children: `$.items[*][?(@.id = 3)]`. One
// `=` compares, `and` and `or` connect, and `or` binds closer. A path with `==`, `&&` or `||` can only be meant as RFC 9535.
import { compileJsonPath, type JsonPath } from '../probes/index.ts'
import { invalidField } from '../probes/invalid.ts'

type Step = (values: readonly unknown[]) => readonly unknown[]

/** @throws FaultlineError `invalid_value` naming the field */
export function compilePath(path: string, field: string): JsonPath {
  const trimmed = path.trim()
  const parts = splitAtFilters(trimmed)
  const isRfc = parts.some((part) => part.isFilter && /==|&&|\|\|/.test(withoutStrings(part.text)))
  // The whole path first, so that a mistake shows all of it.
  const whole = isRfc
    ? trimmed
    : parts.map((part) => (part.isFilter ? `[?(${translate(part.text)})]` : part.text)).join('')
  const compiled = compileJsonPath(whole, field)
  if (isRfc || !parts.some(({ isFilter }) => isFilter)) return compiled
  const steps = parts.map((part, index) => compilePart(part, index === 0, path, field))
  return (document) => steps.reduce<readonly unknown[]>((values, step) => step(values), [document])
}

interface Part {
  readonly text: string
  readonly isFilter: boolean
}

function compilePart({ text, isFilter }: Part, isFirst: boolean, path: string, field: string): Step {
  if (!isFilter) {
    const select = compileJsonPath(isFirst ? text : `$${text}`, field)
    return (values) => values.flatMap((value) => select(value))
  }
  if (withoutStrings(text).includes('$')) {
    throw invalidField(field, 'filters that look at the current value alone (@)', path)
  }
  const keep = compileJsonPath(`$[?(${translate(text)})]`, field)
  return (values) => values.filter((value) => keep([value]).length > 0)
}

/** `$.a[*][?(@.b)].c` is `$.a[*]`, the filter `@.b`, and `.c`. Filters in filters are the filter's own. */
function splitAtFilters(path: string): Part[] {
  const parts: Part[] = []
  let from = 0
  for (let at = 0; at < path.length; at++) {
    const opening = /^\[\s*\?\s*\(/.exec(path.slice(at))
    if (path.charAt(at) === '"' || path.charAt(at) === "'") at = endOfString(path, at)
    if (!opening) continue
    const end = endOfParenthesis(path, at + opening[0].length)
    const closing = /^\s*\]/.exec(path.slice(end + 1))
    if (!closing) continue // several in one pair of brackets: RFC 9535 will say what it makes of them
    if (at > from) parts.push({ text: path.slice(from, at), isFilter: false })
    parts.push({ text: path.slice(at + opening[0].length, end), isFilter: true })
    from = end + 1 + closing[0].length
    at = from - 1
  }
  if (from < path.length) parts.push({ text: path.slice(from), isFilter: false })
  return parts
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text.charAt(at) === '\\') at++
    else if (text.charAt(at) === text.charAt(start)) return at
  }
  return text.length
}

function endOfParenthesis(text: string, start: number): number {
  let depth = 1
  for (let at = start; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '"' || character === "'") at = endOfString(text, at)
    else if (character === '(') depth++
    else if (character === ')' && --depth === 0) return at
  }
  return text.length
}

function withoutStrings(text: string): string {
  return text.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""')
}

/** One filter of jsonpath2 as RFC 9535 writes it. */
function translate(filter: string): string {
  const tokens = filter.match(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[<>!]=|\b(?:and|or|not)\b|[^]/g) ?? []
  const written = tokens.map((token, index) => {
    // A name may be one of the words: `@.or`.
    const isName = /[.\w]$/.test(tokens[index - 1] ?? '')
    if (token === '=') return '=='
    if (token === 'or' && !isName) return '||'
    if (token === 'and' && !isName) return ') && ('
    return token === 'not' && !isName ? '!' : token
  })
  return written.includes(') && (') ? groupAnds(written) : written.join('')
}

/** RFC 9535 has `&&` bind closer: what stands between two of them is put into parentheses, at each depth of its own. */
function groupAnds(tokens: readonly string[]): string {
  const opened: string[] = ['(']
  for (const token of tokens) {
    if (token === '(') opened.push('(', '(')
    else if (token === ')') opened.push(')', ')')
    else opened.push(token)
  }
  return [...opened, ')'].join('')
}
