// Blanks, comments and words of SQL, as Postgres's lexer sees them (chapter "Lexical Structure"). No strings: they are
// the parser's.

const NEWLINE = 0x0a
const RETURN = 0x0d
const STAR = 0x2a
const DASH = 0x2d
const SLASH = 0x2f

/** Other spaces of Unicode are letters to Postgres. */
export function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= RETURN)
}

/** Where the blanks and comments that begin at `at` end. An open comment reaches to the end of the text. */
export function skipBlanks(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at)
    if (isBlank(code)) at++
    else if (code === DASH && text.charCodeAt(at + 1) === DASH) at = endOfLine(text, at + 2)
    else if (code === SLASH && text.charCodeAt(at + 1) === STAR) at = endOfComment(text, at)
    else return at
  }
}

function endOfLine(text: string, at: number): number {
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === NEWLINE || code === RETURN) return at
    at++
  }
  return at
}

/** Comments nest, which is not so in the SQL of others. */
function endOfComment(text: string, at: number): number {
  let depth = 0
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const next = text.charCodeAt(at + 1)
    if (code === SLASH && next === STAR) {
      depth++
      at++
    } else if (code === STAR && next === SLASH) {
      depth--
      at++
      if (depth === 0) return at + 1
    }
  }
  return text.length
}

/** A word's letter: also `_`, all that is not ASCII and, but for the first, digits and `$`. */
export function isWordStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || code >= 0x80
}

/** Where the word that begins at `at` ends: at `at` if there is none. */
export function endOfWord(text: string, at: number): number {
  if (!isWordStart(text.charCodeAt(at))) return at
  for (at++; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isDigitOrDollar = (code >= 0x30 && code <= 0x39) || code === 0x24
    if (!isWordStart(code) && !isDigitOrDollar) break
  }
  return at
}

/** Moves over blanks alone, forwards up to `end`. */
export function trimStart(text: string, at: number, end: number): number {
  while (at < end && isBlank(text.charCodeAt(at))) at++
  return at
}

/** Moves over blanks alone, backwards down to `start`. */
export function trimEnd(text: string, start: number, at: number): number {
  while (at > start && isBlank(text.charCodeAt(at - 1))) at--
  return at
}
