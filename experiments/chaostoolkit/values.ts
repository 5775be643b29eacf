// Configuration and secrets of an experiment, and what `${name}` and `$name` stand for.

/** As Python's string.Template has it: an escaped dollar, a name, a name in braces. */
const PATTERN = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)\})/gi
const WHOLE = /^\$(?:([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)\})$/i

/** Names of values; their order is that of looking them up. */
type Group = Readonly<Record<string, unknown>>

export class Values {
  readonly #configuration: Map<string, unknown>
  readonly #secrets: readonly Group[]

  /** @param secrets the groups of the file's `secrets`; the names of groups do not count */
  constructor(configuration: Group, secrets: readonly Group[]) {
    this.#configuration = new Map(Object.entries(configuration))
    this.#secrets = secrets
  }

  /** For one run, which may {@link set} what it finds out. */
  copy(): Values {
    return new Values(Object.fromEntries(this.#configuration), this.#secrets)
  }

  set(name: string, value: unknown): void {
    this.#configuration.set(name, value)
  }

  has(name: string): boolean {
    return this.#holder(name) !== undefined
  }

  /** Configuration comes before secrets. Undefined if there is none. */
  get(name: string): unknown {
    return this.#holder(name)?.[name]
  }

  /**
   * The same data with its values filled in, to any depth. A text that is nothing but `${name}` becomes the value, of
   * whatever type; in longer ones it is written as Python writes it. Names that are not known stay as they are.
   */
  substitute(data: unknown): unknown {
    if (this.#isEmpty) return data
    return replaceTexts(data, (text) => this.#fill(text))
  }

  /** The names in it that are not known. */
  unknownNames(data: unknown): string[] {
    const names: string[] = []
    replaceTexts(data, (text) => {
      for (const [, , plain, braced] of text.matchAll(PATTERN)) {
        const name = plain ?? braced
        if (name !== undefined && !this.has(name)) names.push(name)
      }
      return text
    })
    return names
  }

  /** The original leaves everything alone then, also `$$`. */
  get #isEmpty(): boolean {
    return this.#configuration.size === 0 && this.#secrets.every((group) => Object.keys(group).length === 0)
  }

  #holder(name: string): Group | undefined {
    if (this.#configuration.has(name)) return { [name]: this.#configuration.get(name) }
    return this.#secrets.find((group) => Object.hasOwn(group, name))
  }

  #fill(text: string): unknown {
    const [, plain, braced] = WHOLE.exec(text) ?? []
    const whole = plain ?? braced
    if (whole !== undefined && this.has(whole)) return this.get(whole)
    return text.replace(PATTERN, (raw, escaped?: string, plainName?: string, bracedName?: string) => {
      if (escaped !== undefined) return '$'
      const name = plainName ?? bracedName ?? ''
      return this.has(name) ? asPythonText(this.get(name)) : raw
    })
  }
}

/** As Python's str() writes it; lists and objects as JSON. */
export function asPythonText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null || value === undefined) return 'None'
  return typeof value === 'number' ? String(value) : JSON.stringify(value)
}

/** A copy in which every text is replaced; names of fields are not texts. */
export function replaceTexts(data: unknown, replace: (text: string) => unknown): unknown {
  if (typeof data === 'string') return replace(data)
  if (Array.isArray(data)) return data.map((item) => replaceTexts(item, replace))
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, replaceTexts(value, replace)]))
}
