// `${NAME}` and `${NAME:-default}` in values of a YAML file. YAML itself has no such thing: in `{ token: ${TOKEN} }` a
// brace would end the value. So each one is hidden from the parser behind as many harmless characters as it is long,
// which keeps all lines and columns, and is looked up when the value is read.

/** The syntax, as error messages say it. */
const SYNTAX = '${NAME} or ${NAME:-default}, or $${ for a plain ${'

export type Environment = Readonly<Record<string, string | undefined>>

/** What is wrong with one of them, and at which offset of the file. */
export interface InterpolationProblem {
  readonly offset: number
  readonly expected: string
  readonly got: string
}

interface Hidden {
  readonly offset: number
  /** As it stands in the file. */
  readonly raw: string
}

// Characters for private use: YAML allows them everywhere in plain text, and hardly any file has one.
const FIRST_PRIVATE = 0xe000
const LAST_PRIVATE = 0xf8ff
const FILLER = String.fromCharCode(FIRST_PRIVATE)
/** An index is written as two digits to this base. */
const BASE = 4096

// `$${…}` as a whole: what follows the escape may not reach the parser either. What is malformed is hidden, too, if it
// has no quotes, which may end the value: so it is refused in our words and not as broken YAML.
const pattern = /\$\$\{[^}\n"']*\}|\$\$\{|\$\{[A-Za-z_]\w*(?::-[^}\n]*)?\}|\$\{[^}\n"']*\}/g

export class Interpolation {
  /** What the parser is to see. */
  readonly text: string
  readonly problems: InterpolationProblem[] = []
  readonly #environment: Environment
  readonly #hidden: Hidden[] = []
  /** Begins what hides one of them; then comes its index. */
  readonly #marker: string

  constructor(text: string, environment: Environment) {
    this.#environment = environment
    this.#marker = unusedCharacter(text)
    this.text = text.replace(pattern, (raw, offset: number) => {
      const index = this.#hidden.push({ offset, raw }) - 1
      return (this.#marker + writeIndex(index)).padEnd(raw.length, FILLER)
    })
  }

  /** True if there is something to fill in, or what looks like it. */
  touches(value: string): boolean {
    return value.includes(this.#marker) || value.includes('${')
  }

  /**
   * A value as the environment makes it. What is wrong is added to the problems.
   *
   * @param offset where the value begins, for what does not even look like `${NAME}`
   */
  fill(value: string, offset: number): string {
    if (value.includes('${')) this.problems.push({ offset, expected: SYNTAX, got: value })
    return this.#replace(value, (hidden) => this.#lookUp(hidden))
  }

  /** As it stands in the file. */
  restore(value: string): string {
    return this.#replace(value, ({ raw }) => raw)
  }

  #replace(value: string, replacement: (hidden: Hidden) => string): string {
    let replaced = ''
    let from = 0
    for (;;) {
      const at = value.indexOf(this.#marker, from)
      const hidden = at < 0 ? undefined : this.#hidden[readIndex(value, at + 1)]
      if (!hidden) return replaced + value.slice(from)
      replaced += value.slice(from, at) + replacement(hidden)
      from = at + hidden.raw.length
    }
  }

  #lookUp({ offset, raw }: Hidden): string {
    if (raw.startsWith('$$')) return raw.slice(1)
    const [, name, fallback] = /^\$\{([A-Za-z_]\w*)(?::-([^]*))?\}$/.exec(raw) ?? []
    if (name === undefined || fallback?.includes('${')) {
      this.problems.push({ offset, expected: SYNTAX, got: raw })
      return ''
    }
    const value = this.#environment[name]
    // As a shell has it: the default is also for an empty one.
    if (fallback !== undefined) return value || fallback
    if (value !== undefined) return value
    const expected = `the environment variable ${name} to be set, or a default as in \${${name}:-default}`
    this.problems.push({ offset, expected, got: raw })
    return ''
  }
}

function unusedCharacter(text: string): string {
  for (let code = FIRST_PRIVATE; code <= LAST_PRIVATE; code++) {
    const character = String.fromCharCode(code)
    if (!text.includes(character)) return character
  }
  throw new Error('the file has all characters for private use')
}

function writeIndex(index: number): string {
  return String.fromCharCode(FIRST_PRIVATE + Math.floor(index / BASE), FIRST_PRIVATE + (index % BASE))
}

function readIndex(text: string, at: number): number {
  return (text.charCodeAt(at) - FIRST_PRIVATE) * BASE + (text.charCodeAt(at + 1) - FIRST_PRIVATE)
}
