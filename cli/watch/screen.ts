// A picture in a terminal that is drawn again in place. Escape sequences: ECMA-48, and xterm's for the second screen.
import type { Output } from '../output.ts'

const ESCAPE = String.fromCharCode(0x1b)
const ENTER = `${ESCAPE}[?1049h${ESCAPE}[?25l` // the second screen, without a cursor
const LEAVE = `${ESCAPE}[?25h${ESCAPE}[?1049l`
const HOME = `${ESCAPE}[H`
const CLEAR_LINE_END = `${ESCAPE}[K`
const CLEAR_SCREEN_END = `${ESCAPE}[J`

export class Screen {
  readonly #out: Output
  #shown: string | undefined

  /** Whatever was in the terminal comes back with {@link Screen.leave}. */
  constructor(out: Output) {
    this.#out = out
    out.write(ENTER)
    // Also if the program is ended at once.
    process.on('exit', this.leave)
  }

  /** Lines that do not fit are cut, and those too many left out. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.#out.size
    const fitting = lines.slice(0, rows).map((line) => cut(line, columns) + CLEAR_LINE_END)
    const picture = `${HOME}${fitting.join('\r\n')}${CLEAR_SCREEN_END}`
    if (picture === this.#shown) return
    this.#shown = picture
    this.#out.write(picture)
  }

  readonly leave = (): void => {
    process.off('exit', this.leave)
    this.#out.write(LEAVE)
  }
}

/** As {@link Output.paint} makes them. */
const COLOUR = new RegExp(`(${ESCAPE}\\[\\d+m)`)

/** The first so many characters of a line, not counting its colours, which stay whole. */
export function cut(line: string, columns: number): string {
  let left = columns
  return line
    .split(COLOUR)
    .map((part) => {
      if (COLOUR.test(part)) return part
      const characters = Array.from(part)
      const kept = characters.slice(0, left)
      left -= kept.length
      return kept.join('')
    })
    .join('')
}
