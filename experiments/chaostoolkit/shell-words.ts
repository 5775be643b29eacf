// Splits a line of arguments into words as a POSIX shell does (Shell Command Language, section 2.2, Quoting), and
// refuses what only a shell can do: passed on as plain text it would do something else than was meant.

export class NeedsShell extends Error {
  /** What only a shell understands. */
  readonly syntax: string

  constructor(syntax: string) {
    super(`${syntax} needs a shell`)
    this.syntax = syntax
  }
}

/** @throws NeedsShell */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: Word | undefined
  for (let at = 0; at < line.length;) {
    const character = line.charAt(at)
    if (character === ' ' || character === '\t') {
      if (word) words.push(word.finish())
      word = undefined
      at++
      continue
    }
    word ??= new Word()
    at = word.read(line, at)
  }
  if (word) words.push(word.finish())
  return words
}

class Word {
  #text = ''
  #glob: string | undefined

  /** @returns where to go on */
  read(line: string, at: number): number {
    const character = line.charAt(at)
    switch (character) {
      case "'":
        return this.#readQuoted(line, at)
      case '"':
        return this.#readDoublyQuoted(line, at)
      case '\\':
        this.#text += line.charAt(at + 1)
        return at + 2
      case '*':
      case '?':
      case '[':
        this.#glob ??= character
        break
      case '~':
      case '#':
        if (this.#text === '') throw new NeedsShell(character)
        break
      case '$':
        refuseExpansion(line, at)
        break
      default:
        if ('|&;<>()`\n'.includes(character)) throw new NeedsShell(character === '\n' ? 'a new line' : character)
    }
    this.#text += character
    return at + 1
  }

  finish(): string {
    // A shell looks for files of that name and takes the text as it is without any, which of a URL it hardly finds.
    if (this.#glob !== undefined && !this.#text.includes('://')) throw new NeedsShell(this.#glob)
    return this.#text
  }

  #readQuoted(line: string, at: number): number {
    const end = line.indexOf("'", at + 1)
    if (end < 0) throw new NeedsShell("a ' without its end")
    this.#text += line.slice(at + 1, end)
    return end + 1
  }

  #readDoublyQuoted(line: string, start: number): number {
    for (let at = start + 1; at < line.length; at++) {
      const character = line.charAt(at)
      if (character === '"') return at + 1
      if (character === '`') throw new NeedsShell('`')
      if (character === '$') refuseExpansion(line, at)
      const isEscape = character === '\\' && '$`"\\'.includes(line.charAt(at + 1) || ' ')
      if (isEscape) at++
      this.#text += line.charAt(at)
    }
    throw new NeedsShell('a " without its end')
  }
}

/** A dollar in front of anything else is a dollar. */
function refuseExpansion(line: string, at: number): void {
  const [expansion] = /^\$(?:[A-Za-z_]\w*|\{[^}]*\}?|\(|[0-9@*#?$!-])/.exec(line.slice(at)) ?? []
  if (expansion !== undefined) throw new NeedsShell(expansion)
}
