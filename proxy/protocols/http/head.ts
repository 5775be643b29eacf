// The head of an HTTP/1.x message, to be read by matches and edited by faults. What is not edited stays as it came.
import { trimBlanks } from './wire-bytes.ts'

export class HttpHead {
  /** A character a byte. */
  readonly #text: string
  /** Made when somebody looks at headers: each with its line end; folded lines belong to the line before. */
  #lines: string[] | undefined
  #startLine: string | undefined
  #edited = false

  /** @param text the whole head as latin1, with the empty line behind it */
  constructor(text: string) {
    this.#text = text
  }

  /** Without its line end. */
  get startLine(): string {
    return (this.#startLine ??= withoutLineEnd(this.#text.slice(0, this.#text.indexOf('\n') + 1)))
  }

  set startLine(line: string) {
    this.#startLine = line
    this.#parsed[0] = asBytes(line) + lineEndOf(this.#parsed[0] ?? '')
    this.#edited = true
  }

  // ---- of a request ----------------------------------------------------------------------------------------------

  get method(): string {
    return this.startLine.slice(0, this.startLine.indexOf(' '))
  }

  /** As it was sent: `/path?query`, an absolute URI, `host:port` or `*` (RFC 9112 section 3.2). */
  get target(): string {
    return this.startLine.slice(this.startLine.indexOf(' ') + 1, this.startLine.lastIndexOf(' '))
  }

  // ---- of an answer ----------------------------------------------------------------------------------------------

  get status(): number {
    return Number(this.startLine.slice(9, 12))
  }

  /** Also changes the reason, to the given one. */
  setStatus(status: number, reason: string): void {
    this.startLine = `${this.startLine.slice(0, 8)} ${status} ${reason}`
  }

  // ---- headers ---------------------------------------------------------------------------------------------------

  /** The first value of a header, or undefined. Names in any case. */
  header(name: string): string | undefined {
    const index = this.#find(name, 1)
    return index < 0 ? undefined : valueOf(this.#parsed[index] ?? '')
  }

  /** All values of a header, in order. */
  headers(name: string): string[] {
    const values: string[] = []
    for (let index = this.#find(name, 1); index >= 0; index = this.#find(name, index + 1)) {
      values.push(valueOf(this.#parsed[index] ?? ''))
    }
    return values
  }

  /** Replaces all headers of this name by one, in the place of the first; without one it becomes the last. */
  set(name: string, value: string): void {
    const first = this.#find(name, 1)
    if (first < 0) return this.add(name, value)
    for (let index = this.#find(name, first + 1); index >= 0; index = this.#find(name, index)) this.#splice(index, 1)
    this.#splice(first, 1, this.#line(`${name}: ${value}`))
  }

  /** Adds a header behind all others. */
  add(name: string, value: string): void {
    this.addLine(`${name}: ${value}`)
  }

  /** Adds a line as it is behind all headers: also one that is none. */
  addLine(line: string): void {
    this.#splice(this.#parsed.length - 1, 0, this.#line(line))
  }

  /** Removes all headers of this name. Returns how many there were. */
  remove(name: string): number {
    let removed = 0
    for (let index = this.#find(name, 1); index >= 0; index = this.#find(name, index)) {
      this.#splice(index, 1)
      removed++
    }
    return removed
  }

  /** True if a comma-separated header has this token, in any case. */
  hasToken(name: string, token: string): boolean {
    const wanted = token.toLowerCase()
    return this.headers(name).some((value) => value.split(',').some((part) => part.trim().toLowerCase() === wanted))
  }

  /** The head as it is to be sent. */
  toBuffer(): Buffer {
    return Buffer.from(this.#edited ? this.#parsed.join('') : this.#text, 'latin1')
  }

  get #parsed(): string[] {
    return (this.#lines ??= splitLines(this.#text))
  }

  #find(name: string, from: number): number {
    const lines = this.#parsed
    for (let index = from; index < lines.length; index++) {
      const line = lines[index] ?? ''
      if (line.charCodeAt(name.length) !== 58) continue
      if (line.slice(0, name.length).toLowerCase() === name.toLowerCase()) return index
    }
    return -1
  }

  #splice(index: number, remove: number, ...lines: string[]): void {
    this.#parsed.splice(index, remove, ...lines)
    this.#edited = true
  }

  #line(text: string): string {
    return asBytes(text) + lineEndOf(this.#parsed[0] ?? '')
  }
}

/** A character a byte: text beyond latin1 goes as UTF-8. Cut off, some characters would turn into line ends. */
function asBytes(text: string): string {
  const fits = Buffer.from(text, 'latin1').toString('latin1') === text
  return fits ? text : Buffer.from(text).toString('latin1')
}

/** The last line is the empty one that ends the head. */
function splitLines(head: string): string[] {
  const lines = head.match(/[^\n]*\n/g) ?? []
  const joined: string[] = []
  for (const line of lines) {
    const last = joined.length - 1
    if (last > 0 && (line.startsWith(' ') || line.startsWith('\t'))) joined[last] += line
    else joined.push(line)
  }
  return joined
}

/** A folded value is one value, its line ends are blanks (RFC 9112 section 5.2). */
function valueOf(line: string): string {
  const value = line.slice(line.indexOf(':') + 1).replaceAll(/\r?\n[\t ]*/g, ' ')
  return trimBlanks(value)
}

function lineEndOf(line: string): string {
  return line.endsWith('\r\n') || line === '' ? '\r\n' : '\n'
}

function withoutLineEnd(line: string): string {
  return line.slice(0, line.length - lineEndOf(line).length)
}
