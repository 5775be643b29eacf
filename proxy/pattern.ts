// Text patterns of matches: exact, glob, or a regular expression of RE2's syntax, which runs in linear time, so that no
// pattern that comes over an API can freeze the proxy.
import { Type, type Static } from '@sinclair/typebox'
import { RE2JS } from 're2js'
import { FaultlineError } from './errors.ts'
import { describeValue, joinPath } from './validate.ts'

const strict = { additionalProperties: false }

export const patternSchema = Type.Union(
  [
    Type.String({ description: 'Exact; a glob if it has *; a regular expression if it is between slashes.' }),
    Type.Object({ exact: Type.String() }, strict),
    Type.Object({ glob: Type.String() }, strict),
    Type.Object({ regex: Type.String(), flags: Type.Optional(Type.String()) }, strict),
  ],
  { description: 'A text, {exact}, {glob} or {regex, flags}. Regular expressions have the syntax of RE2.' },
)

/** As a schema's value; programs may also give a RegExp, which is taken as `{regex, flags}`. */
export type Pattern = Static<typeof patternSchema> | RegExp

/**
 * What a plain text is without any sign of a glob or regular expression, and what `*` stands for. `caseless` is `text`
 * for what has no case, such as names of hosts.
 */
export type PatternStyle = 'path' | 'text' | 'caseless' | 'contains'

export type TextTest = (text: string) => boolean

/** Longer patterns are refused. */
const MAX_PATTERN_LENGTH = 1000

/**
 * Instructions of a compiled expression: the worst case takes time in proportion to these and to the text. Measured with
 * expressions made to be slow: 0.3 s for 64 KiB, the longest text there is; usual ones take microseconds.
 */
const MAX_PROGRAM_SIZE = 300

const FLAGS: Readonly<Record<string, number>> = {
  i: RE2JS.CASE_INSENSITIVE,
  m: RE2JS.MULTILINE,
  s: RE2JS.DOTALL,
  // Always so with RE2.
  u: 0,
  v: 0,
}

/**
 * Compiles a pattern whose shape has been validated. In style `path` a `*` stops at slashes and `**` does not; in the
 * others it stands for anything. A plain text of style `contains` may be anywhere.
 *
 * @throws FaultlineError `invalid_value` naming the field
 */
export function compilePattern(pattern: Pattern, style: PatternStyle, field: string): TextTest {
  if (pattern instanceof RegExp) return compileRegex(pattern.source, pattern.flags, style, field)
  if (typeof pattern === 'string') {
    if (pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')) {
      return compileSlashed(pattern, style, field)
    }
    if (style === 'contains') return containing(pattern)
    return pattern.includes('*') ? compileGlob(pattern, style, field) : equalTo(pattern, style)
  }
  if ('exact' in pattern) return equalTo(pattern.exact, style)
  if ('glob' in pattern) return compileGlob(pattern.glob, style, joinPath(field, 'glob'))
  return compileRegex(pattern.regex, pattern.flags ?? '', style, joinPath(field, 'regex'))
}

/** A path like `/orders/` would be a regular expression by its slashes, and nobody means that. */
function compileSlashed(pattern: string, style: PatternStyle, field: string): TextTest {
  const inside = pattern.slice(1, -1)
  if (style === 'path') {
    const isPlain = !/[\\^$.|?*+()[\]{}]/.test(inside)
    // A star for a whole part of the path: as a regular expression it would repeat a slash.
    if (isPlain || /(?:^|\/)\*+(?:\/|$)/.test(inside)) {
      const likely = `{"${isPlain ? 'exact' : 'glob'}": ${JSON.stringify(pattern)}}`
      const expected = `${likely} or {"regex": ${JSON.stringify(inside)}}`
      throw refuse(field, expected, pattern, ': between slashes it could be either')
    }
  }
  return compileRegex(inside, '', style, field)
}

function compileGlob(glob: string, style: PatternStyle, field: string): TextTest {
  checkLength(glob, field, 'a glob')
  const star = style === 'path' ? '[^/]*' : '.*'
  const source = glob
    .split(/(\*+)/)
    .map((part) => (part.startsWith('**') ? '.*' : part === '*' ? star : RE2JS.quote(part)))
    .join('')
  return compile(`^(?:${source})$`, 's', style, field, 'a glob')
}

function compileRegex(source: string, flags: string, style: PatternStyle, field: string): TextTest {
  checkLength(source, field, 'a regular expression')
  return compile(source, flags, style, field, 'a regular expression')
}

function checkLength(pattern: string, field: string, what: string): void {
  if (pattern.length <= MAX_PATTERN_LENGTH) return
  throw refuse(field, `${what} of at most ${MAX_PATTERN_LENGTH} characters`, pattern)
}

function compile(source: string, flags: string, style: PatternStyle, field: string, what: string): TextTest {
  let bits = style === 'caseless' ? RE2JS.CASE_INSENSITIVE : 0
  for (const flag of flags) {
    const bit = FLAGS[flag]
    if (bit === undefined) throw refuse(field, 'flags out of i, m, s', flags)
    bits |= bit
  }
  let expression: RE2JS
  try {
    expression = RE2JS.compile(source, bits)
  } catch (error) {
    throw refuse(field, `${what} in RE2 syntax`, source, ` (${(error as Error).message})`)
  }
  if (expression.programSize() > MAX_PROGRAM_SIZE) {
    throw refuse(field, `${what} that is shorter or repeats less`, source)
  }
  return (text) => expression.test(text)
}

function equalTo(exact: string, style: PatternStyle): TextTest {
  if (style !== 'caseless') return (text) => text === exact
  const lowerCase = exact.toLowerCase()
  return (text) => text.toLowerCase() === lowerCase
}

function containing(part: string): TextTest {
  return (text) => text.includes(part)
}

function refuse(field: string, expected: string, value: string, hint = ''): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}${hint}`
  return new FaultlineError('invalid_value', message, { field, expected })
}
