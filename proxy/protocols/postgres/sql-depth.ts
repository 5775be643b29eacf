// Tells whether SQL may be nested too deeply, before the parser sees it. The parser recurses: where its stack ends, it
// loses memory for good, and after some thirty of such texts it answers nothing any more.
import { endOfWord, isWordStart, skipBlanks } from './sql-scan.ts'

/**
 * Tokens that can be inside each other. Measured with expressions made for it (`+-+-1`, `(select (select 1))`,
 * `a[a[1]]` and the like), Node's usual stack ends at 3,660 tokens or later; with this limit a third of that stack is enough.
 */
const MAX_DEPTH_TOKENS = 1200

/** Postgres's lexer takes time in proportion to the square of this. */
const MAX_COMMENT_DEPTH = 100

const CLOSER: Readonly<Record<string, string>> = { '(': ')', '[': ']', case: 'end' }
/** What stands between these is beside each other in the tree. */
const SEPARATORS = new Set([',', ';', 'and', 'or', 'when'])
/** These nest to the left, whatever stands between them. */
const CHAINS = new Set(['join', 'union', 'intersect', 'except'])
const LONGEST = 'intersect'.length

/** One parenthesis (or CASE) that is open, or the text itself. */
interface Level {
  readonly closer: string
  /** Tokens since the last separator: operators in a row may be nested as deeply as parentheses. */
  tokens: number
  /** The deepest parenthesis that has been closed since the last separator. */
  closed: number
  /** The deepest of what stood between earlier separators. */
  earlier: number
}

/** Whether the text can be parsed within the stack, without doubt. */
export function isShallow(text: string): boolean {
  if (text.length <= MAX_DEPTH_TOKENS) return true
  if (commentDepth(text) > MAX_COMMENT_DEPTH) return false
  const levels = new Levels()
  let before = ''
  for (let at = skipBlanks(text, 0); at < text.length;) {
    const end = endOfToken(text, at)
    const word = end - at <= LONGEST ? text.slice(at, end).toLowerCase() : ''
    // After these any word is but a name.
    levels.take(before === '.' || before === 'as' ? '' : word)
    if (levels.depth > MAX_DEPTH_TOKENS) return false
    before = word
    at = skipBlanks(text, end)
  }
  return true
}

class Levels {
  readonly #outer: Level[] = []
  #outerTokens = 0
  #chained = 0
  #level: Level = { closer: '', tokens: 0, closed: 0, earlier: 0 }

  get depth(): number {
    return this.#outerTokens + this.#level.tokens + this.#level.closed + this.#chained
  }

  take(token: string): void {
    if (SEPARATORS.has(token)) {
      this.#level.earlier = depthOf(this.#level)
      this.#level.tokens = 0
      this.#level.closed = 0
    } else if (token === ')' || token === ']') {
      // CASE may have been a name after all.
      while (this.#level.closer === 'end') this.#close()
      if (this.#level.closer === token) this.#close()
    } else if (token === 'end' && this.#level.closer === token) {
      this.#close()
    } else {
      this.#level.tokens++
      if (CHAINS.has(token)) this.#chained++
      const closer = CLOSER[token]
      if (closer !== undefined) this.#open(closer)
    }
  }

  #open(closer: string): void {
    this.#outer.push(this.#level)
    this.#outerTokens += this.#level.tokens
    this.#level = { closer, tokens: 0, closed: 0, earlier: 0 }
  }

  #close(): void {
    const opener = this.#outer.pop()
    if (!opener) return
    this.#outerTokens -= opener.tokens
    opener.closed = Math.max(opener.closed, depthOf(this.#level))
    this.#level = opener
  }
}

function depthOf({ tokens, closed, earlier }: Level): number {
  return Math.max(tokens + closed, earlier)
}

/** How deep comments are nested, at most: what looks like comments in strings counts too. */
function commentDepth(text: string): number {
  let depth = 0
  let deepest = 0
  for (const [mark] of text.matchAll(/\/\*|\*\//g)) {
    depth = Math.max(0, depth + (mark === '/*' ? 1 : -1))
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

function endOfToken(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code === 0x27) return endOfString(text, at, false)
  if (code === 0x22) return endOfQuoted(text, at, '"')
  if (code === 0x24) return endOfDollarString(text, at)
  if (!isWordStart(code)) return at + 1
  const end = endOfWord(text, at)
  const isEscapeString = end === at + 1 && (code | 0x20) === 0x65 && text.charCodeAt(end) === 0x27
  return isEscapeString ? endOfString(text, end, true) : end
}

function endOfString(text: string, at: number, hasBackslashes: boolean): number {
  if (!hasBackslashes) return endOfQuoted(text, at, "'")
  for (at++; at < text.length; at++) {
    const character = text[at]
    if (character === '\\') at++
    else if (character === "'") return at + 1
  }
  return text.length
}

/** A doubled quote stands for one. */
function endOfQuoted(text: string, at: number, quote: string): number {
  let end = text.indexOf(quote, at + 1)
  while (end >= 0 && text[end + 1] === quote) end = text.indexOf(quote, end + 2)
  return end < 0 ? text.length : end + 1
}

/** `$$…$$` or `$tag$…$tag$`; a `$` that opens none is a token of its own. */
function endOfDollarString(text: string, at: number): number {
  const close = text.indexOf('$', at + 1)
  const tag = text.slice(at, close + 1)
  if (close < 0 || !/^\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$$/.test(tag)) return at + 1
  const end = text.indexOf(tag, close + 1)
  return end < 0 ? text.length : end + tag.length
}
