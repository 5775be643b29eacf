// What the commands print: lines, aligned tables, JSON. Colour only for people: on a terminal, unless NO_COLOR is set.

/** As much of a stream as printing needs. */
export interface TextStream {
  readonly isTTY?: boolean
  /** Of a terminal, in characters. */
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Style = keyof typeof codes

/** A table's cell; styled ones are padded before they are painted, so that columns stay aligned. */
export type Cell = string | { readonly text: string; readonly style: Style }

const COLUMN_GAP = '  '

export class Output {
  readonly #stream: TextStream
  readonly #isScreen: boolean
  readonly #coloured: boolean

  constructor(stream: TextStream, env: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream
    // https://no-color.org: any value but the empty one.
    this.#isScreen = stream.isTTY === true && env['TERM'] !== 'dumb'
    this.#coloured = this.#isScreen && !env['NO_COLOR']
  }

  /** Whether people watch, on something whose cursor can be moved. */
  get isScreen(): boolean {
    return this.#isScreen
  }

  get isColoured(): boolean {
    return this.#coloured
  }

  /** In characters. Default 80 × 24, as terminals have been since the VT100. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 }
  }

  /** As it is, control characters included. */
  write(text: string): void {
    this.#stream.write(text)
  }

  line(text = ''): void {
    this.#stream.write(`${text}\n`)
  }

  /** For programs. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2))
  }

  paint(style: Style, text: string): string {
    return this.#coloured ? `\u001b[${codes[style]}m${text}\u001b[0m` : text
  }

  table(rows: readonly (readonly Cell[])[], indent = ''): void {
    for (const line of this.tableLines(rows)) this.line(indent + line)
  }

  /** Each column as wide as its widest cell. */
  tableLines(rows: readonly (readonly Cell[])[]): string[] {
    const widths: number[] = []
    for (const row of rows) {
      row.forEach((cell, column) => {
        widths[column] = Math.max(widths[column] ?? 0, widthOf(textOf(cell)))
      })
    }
    return rows.map((row) => {
      const cells = row.map((cell, column) => this.#cell(cell, column === row.length - 1 ? 0 : (widths[column] ?? 0)))
      return cells.join(COLUMN_GAP)
    })
  }

  #cell(cell: Cell, width: number): string {
    const text = textOf(cell)
    const padded = text + ' '.repeat(Math.max(0, width - widthOf(text)))
    return typeof cell === 'string' ? padded : this.paint(cell.style, padded)
  }
}

function textOf(cell: Cell): string {
  return printable(typeof cell === 'string' ? cell : cell.text)
}

function widthOf(text: string): number {
  return Array.from(text).length
}

/** Names come from a server: what they hold must not steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
